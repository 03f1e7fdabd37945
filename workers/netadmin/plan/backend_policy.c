/* Which backends a desired state may name; see backend_policy.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/plan/backend_policy.h"

#include "common/text.h"
#include "workers/netadmin/plan/gateway_claim.h"

#include <stdio.h>
#include <string.h>

/* An address inside a subnet of the shared network that is no container's. */
struct refused_address {
    struct ip_address address;
    const char *reason;
};

#define REFUSED_PER_SUBNET 4 /* two ends, two gateways */

/* Prepared once per state, so that each of its thousands of backends costs a few comparisons. */
struct judge {
    const struct backend_policy *policy;
    struct ip_subnet subnets[SUBNETS_MAX];
    size_t subnet_count;
    struct refused_address refused[SUBNETS_MAX * REFUSED_PER_SUBNET];
    size_t refused_count;
};

static void refuse(struct judge *judge, const struct ip_address *address, const char *reason)
{
    if (address->family)
        judge->refused[judge->refused_count++] = (struct refused_address){*address, reason};
}

/* The addresses at a subnet's ends are no hosts: v4's network and directed broadcast (RFC 1122 §3.2.1.3) and
 * v6's subnet-router anycast (RFC 4291 §2.6.1). A /31 and a /32 (RFC 3021), a /127 and a /128 (RFC 6164) have
 * no such ends. */
static void add_subnet(struct judge *judge, const struct wire_subnet *wire)
{
    const struct ip_subnet subnet = {wire_address_to(&wire->address), wire->prefix_length};
    const struct ip_address first = ip_subnet_first(&subnet);
    const struct ip_address last = ip_subnet_last(&subnet);
    const struct ip_address gateway = gateway_claim_bridge_address(wire);
    const struct ip_address auxiliary_gateway = wire_address_to(&wire->auxiliary_gateway);
    bool has_ends = subnet.prefix_length + 1 < ip_family_bits(subnet.address.family);

    judge->subnets[judge->subnet_count++] = subnet;
    if (has_ends)
        refuse(judge, &first, "is the subnet's network address");
    if (has_ends && subnet.address.family == IP_FAMILY_4)
        refuse(judge, &last, "is the subnet's broadcast address");
    refuse(judge, &gateway, "is the gateway of the shared network, the host's");
    refuse(judge, &auxiliary_gateway, "is the auxiliary gateway of the shared network");
}

static bool is_on_shared_network(const struct judge *judge, const struct ip_address *address)
{
    for (size_t i = 0; i < judge->subnet_count; i++) {
        if (ip_subnet_contains(&judge->subnets[i], address))
            return true;
    }
    return false;
}

static const char *check_backend(const struct judge *judge, const struct ip_address *address)
{
    if (!ip_address_is_host(address))
        return "is no host's address";
    if (!is_on_shared_network(judge, address))
        return "is outside the shared network";
    for (size_t i = 0; i < judge->refused_count; i++) {
        if (ip_address_equal(&judge->refused[i].address, address))
            return judge->refused[i].reason;
    }
    return ip_address_is_among(address, judge->policy->own, judge->policy->own_count) ? "is our own address" : NULL;
}

static int check_map(const struct judge *judge, const struct map *map, uint8_t family, char reason[REASON_SIZE])
{
    const struct map_element *checked = NULL; /* ports of a range share one backend: ask once */

    for (size_t i = 0; map->elements && i < map->count; i++) {
        const struct map_element *element = &map->elements[i];
        struct ip_address address;
        const char *broken;

        if (checked && memcmp(checked->backend, element->backend, sizeof(element->backend)) == 0)
            continue;
        checked = element;
        address = ip_address_from_bytes(family, element->backend);
        broken = check_backend(judge, &address);
        if (!broken)
            continue;
        (void)snprintf(reason, REASON_SIZE, "backend %s of port %u %s", IP_ADDRESS_TEXT(&address),
                       (unsigned int)element->port, broken);
        return -EPERM;
    }
    return 0;
}

static int check_maps(const struct judge *judge, const struct map_state *state, char reason[REASON_SIZE])
{
    for (size_t i = 0; i < MAPS_MAX; i++) {
        int result = check_map(judge, &state->all[i], family_index_to_family(i / PROTOCOL_INDEX_MAX_), reason);

        if (result < 0)
            return result;
    }
    return 0;
}

int backend_policy_check(const struct backend_policy *policy, const struct desired_state *state,
                         char reason[REASON_SIZE])
{
    struct judge judge = {.policy = policy};
    int result;

    if (desired_state_count(state) > MAP_ELEMENTS_MAX) {
        text_copy_cut(reason, REASON_SIZE, "more map elements than are allowed");
        return -E2BIG;
    }
    for (uint32_t i = 0; i < policy->shared->subnet_count && i < SUBNETS_MAX; i++)
        add_subnet(&judge, &policy->shared->subnets[i]);
    result = check_maps(&judge, &state->open, reason);
    return result < 0 ? result : check_maps(&judge, &state->withheld, reason);
}
