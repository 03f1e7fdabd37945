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

void subnets_behind_list(const struct message_shared_links *shared, const struct message_host_addresses *host,
                         const struct ip_address *next_hop, struct subnets_behind *ret)
{
    ret->count = 0;
    for (uint32_t i = 0; i < shared->count; i++)
        list_network(&shared->items[i], next_hop, ret);
    for (uint32_t i = 0; i < host->count && !mac_address_is_zero(&host->host_mac); i++) {
        struct ip_address address = wire_address_to(&host->items[i].address);

        list_host_address(&address, &host->host_mac, ret);
    }
}
