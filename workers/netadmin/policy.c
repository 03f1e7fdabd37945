/* Which backends a desired state may name; see policy.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/policy.h"

#include "common/text.h"

#include <stdio.h>
#include <string.h>

/* A subnet of the shared network, so that a backend costs a few comparisons. */
struct bounds {
    struct ip_address first;
    struct ip_address last;
    struct ip_address gateway;
    struct ip_address auxiliary_gateway;
    bool has_ends; /* `first` and `last` are no hosts */
};

struct judge {
    const struct policy *policy;
    struct bounds subnets[SUBNETS_MAX];
    size_t subnet_count;
};

/* The addresses at a subnet's ends are no hosts: v4's network and directed broadcast (RFC 1122 §3.2.1.3) and
 * v6's subnet-router anycast (RFC 4291 §2.6.1). A /31 and a /32 (RFC 3021), a /127 and a /128 (RFC 6164) have
 * no such ends. */
static struct bounds bounds_of(const struct wire_subnet *wire)
{
    const struct ip_subnet subnet = {wire_address_to(&wire->address), wire->prefix_length};

    return (struct bounds){
        .first = ip_subnet_first(&subnet),
        .last = ip_subnet_last(&subnet),
        .gateway = wire_address_to(&wire->gateway),
        .auxiliary_gateway = wire_address_to(&wire->auxiliary_gateway),
        .has_ends = subnet.prefix_length + 1 < ip_family_bits(subnet.address.family),
    };
}

static const struct bounds *find_subnet(const struct judge *judge, const struct ip_address *address)
{
    size_t length = ip_family_length(address->family);

    for (size_t i = 0; i < judge->subnet_count; i++) {
        const struct bounds *subnet = &judge->subnets[i];

        if (subnet->first.family == address->family && memcmp(address->bytes, subnet->first.bytes, length) >= 0 &&
            memcmp(address->bytes, subnet->last.bytes, length) <= 0)
            return subnet;
    }
    return NULL;
}

static const char *check_backend(const struct judge *judge, const struct ip_address *address)
{
    const struct bounds *subnet;

    if (!ip_address_is_host(address))
        return "is no host's address";
    subnet = find_subnet(judge, address);
    if (!subnet)
        return "is outside the shared network";
    if (subnet->has_ends && ip_address_equal(address, &subnet->first))
        return "is the subnet's network address";
    if (subnet->has_ends && address->family == IP_FAMILY_4 && ip_address_equal(address, &subnet->last))
        return "is the subnet's broadcast address";
    if (ip_address_equal(address, &subnet->gateway))
        return "is the gateway of the shared network";
    if (ip_address_equal(address, &subnet->auxiliary_gateway))
        return "is the auxiliary gateway of the shared network";
    return judge->policy->is_own_address(address, judge->policy->userdata) ? "is our own address" : NULL;
}

static int check_map(const struct judge *judge, const struct map *map, uint8_t family, char reason[REASON_SIZE])
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
        broken = check_backend(judge, &address);
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
    struct judge judge = {.policy = policy};

    if (map_state_count(state) > MAP_ELEMENTS_MAX) {
        text_copy_cut(reason, REASON_SIZE, "more map elements than are allowed");
        return -E2BIG;
    }
    for (uint32_t i = 0; i < policy->shared->subnet_count && i < SUBNETS_MAX; i++)
        judge.subnets[judge.subnet_count++] = bounds_of(&policy->shared->subnets[i]);
    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++) {
        for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++) {
            int result = check_map(&judge, &state->maps[family][protocol], family_index_to_family(family), reason);

            if (result < 0)
                return result;
        }
    }
    return 0;
}
