/* Claimed gateway addresses; see gateway_claim.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/gateway_claim.h"

#include "workers/netadmin/address_change.h"
#include "workers/netadmin/route_table.h"

#include <linux/if_addr.h>

const char *gateway_claim_check(const struct wire_subnet *wire)
{
    struct ip_subnet subnet = {wire_address_to(&wire->address), wire->prefix_length};
    struct ip_address address = wire_address_to(&wire->auxiliary_gateway);
    struct ip_address gateway = wire_address_to(&wire->gateway);
    struct ip_address first = ip_subnet_first(&subnet);
    struct ip_address last = ip_subnet_last(&subnet);

    if (address.family == IP_FAMILY_NONE)
        return NULL;
    if (!ip_subnet_contains(&subnet, &address))
        return "outside of its subnet";
    if (!ip_address_is_host(&address) || ip_address_equal(&address, &first) ||
        (address.family == IP_FAMILY_4 && ip_address_equal(&address, &last)))
        return "no host's address";
    return ip_address_equal(&address, &gateway) ? "the bridge's own address" : NULL;
}

size_t gateway_claim_list(const struct wire_network *shared, struct gateway_claim ret[SUBNETS_MAX])
{
    size_t count = 0;

    for (uint32_t i = 0; i < shared->subnet_count; i++) {
        const struct wire_subnet *subnet = &shared->subnets[i];

        if (subnet->auxiliary_gateway.family == IP_FAMILY_NONE || gateway_claim_check(subnet))
            continue;
        ret[count++] = (struct gateway_claim){
            .address = wire_address_to(&subnet->auxiliary_gateway),
            .prefix_length = subnet->prefix_length,
        };
    }
    return count;
}

static bool holds(const struct network_link *link, const struct gateway_claim *claim)
{
    for (uint32_t i = 0; i < link->address_count; i++) {
        if (ip_address_equal(&link->addresses[i].address, &claim->address))
            return true;
    }
    return false;
}

static bool holds_another_of_subnet(const struct network_link *link, const struct gateway_claim *claim)
{
    struct ip_subnet subnet = {claim->address, claim->prefix_length};

    for (uint32_t i = 0; i < link->address_count; i++) {
        if (ip_subnet_contains(&subnet, &link->addresses[i].address) &&
            !ip_address_equal(&link->addresses[i].address, &claim->address))
            return true;
    }
    return false;
}

static struct link_address claimed_address(const struct gateway_claim *claim)
{
    return (struct link_address){
        .address = claim->address,
        .prefix_length = claim->prefix_length,
        .protocol = ROUTE_PROTOCOL,
        .flags = IFA_F_NODAD,
    };
}

int gateway_claim_apply(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const struct network_link *link,
                        const struct wire_network *shared)
{
    struct gateway_claim claims[SUBNETS_MAX];
    size_t count = gateway_claim_list(shared, claims);
    int added = 0;

    for (size_t i = 0; i < count; i++) {
        struct link_address address = claimed_address(&claims[i]);
        int result;

        if (holds(link, &claims[i]) || !holds_another_of_subnet(link, &claims[i]))
            continue;
        result = address_add(rtnetlink, request, link, &address, true);
        if (result < 0 && result != -EEXIST)
            return result;
        added += result == 0 ? 1 : 0;
    }
    return added;
}

int gateway_claim_remove(struct rtnetlink *rtnetlink, struct rtnetlink_request *request,
                         const struct network_link *link, const struct wire_network *shared)
{
    struct gateway_claim claims[SUBNETS_MAX];
    size_t count = gateway_claim_list(shared, claims);

    for (size_t i = 0; i < count; i++) {
        struct link_address address = claimed_address(&claims[i]);
        int result = address_remove(rtnetlink, request, link, &address);

        if (result < 0)
            return result;
    }
    return 0;
}
