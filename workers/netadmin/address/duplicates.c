/* Addresses that somebody else on the LAN has; see duplicates.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/address/duplicates.h"

#include "common/log.h"

#include <string.h>

static struct duplicate *find(struct duplicates *duplicates, const struct ip_address *address)
{
    for (size_t i = 0; i < duplicates->count; i++) {
        if (ip_address_equal(&duplicates->items[i].address, address))
            return &duplicates->items[i];
    }
    return NULL;
}

static void forget(struct duplicates *duplicates, const struct duplicate *duplicate)
{
    size_t position = (size_t)(duplicate - duplicates->items);

    duplicates->count--;
    memmove(&duplicates->items[position], &duplicates->items[position + 1],
            (duplicates->count - position) * sizeof(*duplicate));
}

/* Of more than are remembered the oldest is forgotten: it may be one that no router advertises any more. */
bool duplicates_note(struct duplicates *duplicates, const struct network_link *link, const struct ip_address *address)
{
    if (find(duplicates, address))
        return false;
    if (duplicates->count == LINK_ADDRESSES_MAX)
        forget(duplicates, &duplicates->items[0]);
    duplicates->items[duplicates->count++] = (struct duplicate){.address = *address};
    log_error("another host on the LAN has this address already, it is not used",
              LOG_TEXT("address", IP_ADDRESS_TEXT(address)), LOG_TEXT("interface", link->name));
    return true;
}

void duplicates_note_holder(struct duplicates *duplicates, const struct message_probed *answer)
{
    struct ip_address address = wire_address_to(&answer->target.address);
    struct duplicate *known = find(duplicates, &address);

    if (!known || mac_address_is_zero(&answer->holder))
        return;
    known->holder = answer->holder;
    log_error("the host that has this address", LOG_TEXT("address", IP_ADDRESS_TEXT(&address)),
              LOG_TEXT("interface", answer->target.name), LOG_TEXT("mac", MAC_ADDRESS_TEXT(&answer->holder)));
}

void duplicates_forget_given_up(struct duplicates *duplicates, const struct known_lease *before,
                                const struct known_lease *after)
{
    for (size_t i = 0; i < before->lease.further_count; i++) {
        const struct ip_address *address = &before->lease.further[i].address;
        struct duplicate *known = before->further[i].is_duplicate ? find(duplicates, address) : NULL;

        if (known && !known_lease_names(after, address))
            forget(duplicates, known);
    }
}

void duplicates_forget_usable(struct duplicates *duplicates, const struct network_link *link)
{
    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct link_address *address = &link->addresses[i];
        struct duplicate *known = link_address_is_usable(address) ? find(duplicates, &address->address) : NULL;

        if (!known)
            continue;
        forget(duplicates, known);
        log_info("an address that another host had can be used now", LOG_TEXT("interface", link->name));
    }
}
