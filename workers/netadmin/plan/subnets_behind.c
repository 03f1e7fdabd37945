/* What lies behind an attached identity's links; see subnets_behind.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/subnets_behind.h"

#include <string.h>

static void list_network(const struct wire_shared_link *link, const struct ip_address *next_hop,
                         struct subnets_behind *ret)
{
    for (uint32_t i = 0; i < link->subnet_count; i++) {
        struct subnet_behind *behind = &ret->items[ret->count++];
        struct ip_subnet subnet = {wire_address_to(&link->subnets[i].address), link->subnets[i].prefix_length};

        *behind = (struct subnet_behind){.subnet = {ip_subnet_first(&subnet), subnet.prefix_length}};
        memcpy(behind->link, link->name, sizeof(behind->link));
        if (subnet.address.family == IP_FAMILY_4)
            behind->source = *next_hop;
    }
}

static void list_host_address(const struct ip_address *address, const struct mac_address *host_mac,
                              struct subnets_behind *ret)
{
    struct subnet_behind *behind = &ret->items[ret->count++];

    *behind = (struct subnet_behind){
        .link = IDENTITY_HOST_LINK,
        .subnet = {*address, ip_family_bits(address->family)},
    };
    if (address->family == IP_FAMILY_6)
        behind->gateway = ip_address_link_local_of(host_mac);
}

/* The one on the parent, which there is as long as there is a LAN; else any: the host answers for all. */
static struct ip_address find_host4(const struct message_host_addresses *host)
{
    struct ip_address found = {0};

    for (uint32_t i = 0; i < host->count; i++) {
        struct ip_address address = wire_address_to(&host->items[i].address);

        if (address.family == IP_FAMILY_4 && (host->items[i].is_on_parent || found.family == IP_FAMILY_NONE))
            found = address;
        if (found.family != IP_FAMILY_NONE && host->items[i].is_on_parent)
            break;
    }
    return found;
}

const struct subnet_behind *subnets_behind_find_shared(const struct subnets_behind *behind,
                                                       const struct ip_subnet *subnet)
{
    for (size_t i = 0; i < behind->count; i++) {
        const struct subnet_behind *item = &behind->items[i];

        if (strcmp(item->link, IDENTITY_HOST_LINK) != 0 && item->subnet.prefix_length <= subnet->prefix_length &&
            ip_subnet_contains(&item->subnet, &subnet->address))
            return item;
    }
    return NULL;
}

static void list_via_host(const struct ip_subnet *subnet, const struct message_host_addresses *host,
                          struct subnets_behind *ret)
{
    struct ip_address gateway =
        subnet->address.family == IP_FAMILY_4 ? find_host4(host) : ip_address_link_local_of(&host->host_mac);

    if (gateway.family == IP_FAMILY_NONE || subnets_behind_find_shared(ret, subnet))
        return;
    ret->items[ret->count] = (struct subnet_behind){.link = IDENTITY_HOST_LINK, .subnet = *subnet, .gateway = gateway};
    ret->count++;
}

void subnets_behind_list(const struct message_shared_links *shared, const struct message_host_addresses *host,
                         const struct via_host *via_host, const struct ip_address *next_hop, struct subnets_behind *ret)
{
    bool has_host = !mac_address_is_zero(&host->host_mac);

    ret->count = 0;
    for (uint32_t i = 0; i < shared->count; i++)
        list_network(&shared->items[i], next_hop, ret);
    for (uint32_t i = 0; i < host->count && has_host; i++) {
        struct ip_address address = wire_address_to(&host->items[i].address);

        list_host_address(&address, &host->host_mac, ret);
    }
    for (size_t i = 0; i < via_host->count && has_host; i++)
        list_via_host(&via_host->subnets[i], host, ret);
}
