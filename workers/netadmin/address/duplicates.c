/* Addresses that somebody else on the LAN has; see duplicates.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/address/duplicates.h"

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
bool duplicates_note(struct duplicates *duplicates, const struct ip_address *address)
{
    if (find(duplicates, address))
        return false;
    if (duplicates->count == LINK_ADDRESSES_MAX)
        forget(duplicates, &duplicates->items[0]);
    duplicates->items[duplicates->count++] = (struct duplicate){.address = *address};
    return true;
}

void duplicates_note_holder(struct duplicates *duplicates, const struct message_probed *answer)
{
    struct ip_address address = wire_address_to(&answer->target.address);
    struct duplicate *known = find(duplicates, &address);

    if (known && !mac_address_is_zero(&answer->holder))
        known->holder = answer->holder;
}

void duplicates_follow(struct duplicates *duplicates, const struct message_probed *said)
{
    struct ip_address address = wire_address_to(&said->target.address);
    struct duplicate *known = find(duplicates, &address);

    if (said->is_held)
        (void)duplicates_note(duplicates, &address);
    else if (known)
        forget(duplicates, known);
    duplicates_note_holder(duplicates, said);
}

static bool is_among(const struct ip_address *address, const struct wire_held *held, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ip_address one = wire_address_to(&held[i].address);

        if (ip_address_equal(&one, address))
            return true;
    }
    return false;
}

void duplicates_keep_held(struct duplicates *duplicates, const struct wire_held *held, size_t count)
{
    for (size_t i = duplicates->count; i > 0; i--) {
        if (!is_among(&duplicates->items[i - 1].address, held, count))
            forget(duplicates, &duplicates->items[i - 1]);
    }
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

        if (known)
            forget(duplicates, known);
    }
}
