/* Which backends a desired state may name; see policy.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/policy.h"

#include "common/text.h"

#include <stdio.h>
#include <string.h>

static const struct wire_subnet *find_subnet(const struct wire_network *network, const struct ip_address *address)
{
    for (uint32_t i = 0; i < network->subnet_count; i++) {
        const struct ip_subnet subnet = {
            .address = wire_address_to(&network->subnets[i].address),
            .prefix_length = network->subnets[i].prefix_length,
        };

        if (ip_subnet_contains(&subnet, address))
            return &network->subnets[i];
    }
    return NULL;
}

/* The addresses at a subnet's ends are no hosts: v4's network and directed broadcast (RFC 1122 §3.2.1.3) and
 * v6's subnet-router anycast (RFC 4291 §2.6.1). A /31 and a /32 (RFC 3021), a /127 and a /128 (RFC 6164) have
 * no such ends. */
static const char *check_ends(const struct wire_subnet *wire, const struct ip_address *address)
{
    const struct ip_subnet subnet = {wire_address_to(&wire->address), wire->prefix_length};
    const struct ip_address first = ip_subnet_first(&subnet);
    const struct ip_address last = ip_subnet_last(&subnet);

    if (subnet.prefix_length + 1 >= ip_family_bits(address->family))
        return NULL;
    if (ip_address_equal(address, &first))
        return "is the subnet's network address";
    if (address->family == IP_FAMILY_4 && ip_address_equal(address, &last))
        return "is the subnet's broadcast address";
    return NULL;
}

static const char *check_backend(const struct policy *policy, const struct ip_address *address)
{
    const struct wire_subnet *subnet;
    struct ip_address gateway;
    struct ip_address auxiliary_gateway;
    const char *broken;

    if (!ip_address_is_host(address))
        return "is no host's address";
    subnet = find_subnet(policy->shared, address);
    if (!subnet)
        return "is outside the shared network";
    broken = check_ends(subnet, address);
    if (broken)
        return broken;
    gateway = wire_address_to(&subnet->gateway);
    auxiliary_gateway = wire_address_to(&subnet->auxiliary_gateway);
    if (ip_address_equal(address, &gateway))
        return "is the gateway of the shared network";
    if (ip_address_equal(address, &auxiliary_gateway))
        return "is the auxiliary gateway of the shared network";
    return policy->is_own_address(address, policy->userdata) ? "is our own address" : NULL;
}

static int check_map(const struct policy *policy, const struct map *map, uint8_t family, char reason[REASON_SIZE])
{
    const struct map_element *checked = NULL; /* ports of a range share one backend: ask once */

    for (size_t i = 0; map->elements && i < map->count; i++) {
        const struct map_element *element = &map->elements[i];
        char text[IP_ADDRESS_TEXT_SIZE];
        struct ip_address address;
        const char *broken;

        if (checked && memcmp(checked->backend, element->backend, sizeof(element->backend)) == 0)
            continue;
        checked = element;
        address = ip_address_from_bytes(family, element->backend);
        broken = check_backend(policy, &address);
        if (!broken)
            continue;
        (void)snprintf(reason, REASON_SIZE, "backend %s of port %u %s", ip_address_format(&address, text),
                       (unsigned int)element->port, broken);
        return -EPERM;
    }
    return 0;
}

int policy_check(const struct policy *policy, const struct map_state *state, char reason[REASON_SIZE])
{
    if (map_state_count(state) > MAP_ELEMENTS_MAX) {
        text_copy_cut(reason, REASON_SIZE, "more map elements than are allowed");
        return -E2BIG;
    }
    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++) {
        for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++) {
            int result = check_map(policy, &state->maps[family][protocol], family_index_to_family(family), reason);

            if (result < 0)
                return result;
        }
    }
    return 0;
}
