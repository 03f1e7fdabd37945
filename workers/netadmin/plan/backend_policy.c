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

#define NETWORKS_MAX SHARED_LINKS_MAX

/* Prepared once per state, so that each of its thousands of backends costs a few comparisons. */
struct judge {
    const struct backend_policy *policy;
    struct ip_subnet subnets[SUBNETS_MAX * NETWORKS_MAX];
    size_t subnet_count;
    struct refused_address refused[SUBNETS_MAX * NETWORKS_MAX * REFUSED_PER_SUBNET];
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
    refuse(judge, &gateway, "is the gateway of transit, the host's");
    refuse(judge, &auxiliary_gateway, "is the auxiliary gateway of transit");
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
        return "is outside transit";
    for (size_t i = 0; i < judge->refused_count; i++) {
        if (ip_address_equal(&judge->refused[i].address, address))
            return judge->refused[i].reason;
    }
    return ip_address_is_among(address, judge->policy->own, judge->policy->own_count) ? "is our own address" : NULL;
}

/* The host's own address in it is among those that are told apart. */
static void add_link(struct judge *judge, const struct wire_shared_link *link)
{
    for (uint32_t i = 0; i < link->subnet_count; i++)
        add_subnet(judge, &(const struct wire_subnet){.address = link->subnets[i].address,
                                                      .prefix_length = link->subnets[i].prefix_length});
}

static void prepare(struct judge *judge, const struct backend_policy *policy)
{
    judge->policy = policy;
    for (uint32_t i = 0; policy->shared && i < policy->shared->subnet_count && i < SUBNETS_MAX; i++)
        add_subnet(judge, &policy->shared->subnets[i]);
    for (uint32_t i = 0; policy->links && i < policy->links->count && i < SHARED_LINKS_MAX; i++)
        add_link(judge, &policy->links->items[i]);
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
    struct judge judge = {0};
    int result;

    if (desired_state_count(state) > MAP_ELEMENTS_MAX) {
        text_copy_cut(reason, REASON_SIZE, "more map elements than are allowed");
        return -E2BIG;
    }
    prepare(&judge, policy);
    result = check_maps(&judge, &state->open, reason);
    return result < 0 ? result : check_maps(&judge, &state->withheld, reason);
}

static int select_from(const struct judge *judge, const struct map *offered, uint8_t family, struct map *ret,
                       char reason[REASON_SIZE])
{
    for (size_t i = 0; offered->elements && i < offered->count; i++) {
        const struct map_element *element = &offered->elements[i];
        const struct map one = {.elements = &offered->elements[i], .count = 1};
        char refusal[REASON_SIZE];

        if (check_map(judge, &one, family, refusal) == 0) {
            if (map_add(ret, element) < 0)
                return -ENOMEM;
        } else if (!reason[0]) {
            text_copy_cut(reason, REASON_SIZE, refusal);
        }
    }
    return 0;
}

int backend_policy_select(const struct backend_policy *policy, const struct desired_state *offered,
                          struct desired_state *ret, char reason[REASON_SIZE])
{
    struct judge judge = {0};
    int result = 0;

    reason[0] = '\0';
    prepare(&judge, policy);
    for (size_t i = 0; i < MAPS_MAX && result == 0; i++) {
        uint8_t family = family_index_to_family(i / PROTOCOL_INDEX_MAX_);

        result = select_from(&judge, &offered->open.all[i], family, &ret->open.all[i], reason);
        if (result == 0)
            result = select_from(&judge, &offered->withheld.all[i], family, &ret->withheld.all[i], reason);
    }
    return result;
}
