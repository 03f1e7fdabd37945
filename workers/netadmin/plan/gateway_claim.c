/* Which gateway addresses are claimed; see gateway_claim.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/gateway_claim.h"

struct ip_address gateway_claim_bridge_address(const struct wire_subnet *wire)
{
    struct ip_subnet subnet = {wire_address_to(&wire->address), wire->prefix_length};
    struct ip_address gateway = wire_address_to(&wire->gateway);

    if (gateway.family == IP_FAMILY_NONE && subnet.prefix_length + 1 < ip_family_bits(subnet.address.family)) {
        gateway = ip_subnet_first(&subnet);
        gateway.bytes[ip_family_length(gateway.family) - 1] |= 1;
    }
    return gateway;
}

const char *gateway_claim_check(const struct wire_subnet *wire)
{
    struct ip_subnet subnet = {wire_address_to(&wire->address), wire->prefix_length};
    struct ip_address address = wire_address_to(&wire->auxiliary_gateway);
    struct ip_address gateway = gateway_claim_bridge_address(wire);
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
