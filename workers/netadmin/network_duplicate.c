/*
 * Addresses that somebody else on the LAN has, as the kernel's duplicate address detection found (ADDR-13, RFC 4862
 * §5.4); see network_internal.h. Runs in anchord-netadmin, no privilege.
 *
 * An autoconfigured address is removed by the kernel without a word, and made anew with each advertisement: it is said
 * once, until it can be used. The kernel does not say who has it, so the announcer is asked. The first address of a
 * lease is not ours to tell of: the server hears of it (network_address.c).
 */
#include "common/log.h"
#include "workers/netadmin/network_internal.h"

#include <string.h>

static struct duplicate *find(struct network *network, const struct ip_address *address)
{
    for (size_t i = 0; i < network->duplicate_count; i++) {
        if (ip_address_equal(&network->duplicates[i].address, address))
            return &network->duplicates[i];
    }
    return NULL;
}

static void forget(struct network *network, const struct duplicate *duplicate)
{
    size_t position = (size_t)(duplicate - network->duplicates);

    network->duplicate_count--;
    memmove(&network->duplicates[position], &network->duplicates[position + 1],
            (network->duplicate_count - position) * sizeof(*duplicate));
}

/* Of more than are remembered the oldest is forgotten: it may be one that no router advertises any more. */
void network_report_duplicate(struct network *network, const struct network_link *link,
                              const struct ip_address *address)
{
    char text[IP_ADDRESS_TEXT_SIZE];

    if (find(network, address))
        return;
    if (network->duplicate_count == LINK_ADDRESSES_MAX)
        forget(network, &network->duplicates[0]);
    network->duplicates[network->duplicate_count++] = (struct duplicate){.address = *address};
    log_error("another host on the LAN has this address already, it is not used",
              LOG_TEXT("address", ip_address_format(address, text)), LOG_TEXT("interface", link->name));
    announcer_peer_ask(&network->announcer, link, address);
}

void network_report_duplicate_holder(struct network *network, const struct message_probed *answer)
{
    struct ip_address address = wire_address_to(&answer->target.address);
    struct duplicate *known = find(network, &address);
    char text[IP_ADDRESS_TEXT_SIZE];
    char mac[MAC_ADDRESS_TEXT_SIZE];

    if (!known || mac_address_is_zero(&answer->holder))
        return;
    known->holder = answer->holder;
    log_error("the host that has this address", LOG_TEXT("address", ip_address_format(&address, text)),
              LOG_TEXT("interface", answer->target.name), LOG_TEXT("mac", mac_address_format(&answer->holder, mac)));
}

void network_forget_duplicate(struct network *network, const struct ip_address *address)
{
    struct duplicate *known = find(network, address);

    if (known)
        *known = network->duplicates[--network->duplicate_count];
}

/*
 * By the last reading: permanent addresses, be they leased for ever, stay without a word, unusable; others that can be
 * used now are nobody else's any more.
 */
void network_look_for_duplicates(struct network *network, const struct network_link *link)
{
    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct link_address *address = &link->addresses[i];
        struct duplicate *known;

        if (address->address.family == IP_FAMILY_6 && address->flags & IFA_F_DADFAILED)
            network_note_duplicate(network, link, address);
        known = link_address_is_usable(address) ? find(network, &address->address) : NULL;
        if (!known)
            continue;
        forget(network, known);
        log_info("an address that another host had can be used now", LOG_TEXT("interface", link->name));
    }
}
