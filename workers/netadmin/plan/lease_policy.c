/* What of a lease is taken; see lease_policy.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/lease_policy.h"

#include "common/text.h"
#include "workers/netadmin/plan/inner_prefixes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Shorter than any class of RFC 791: a LAN of that size would take much of the world for its neighbours. */
#define SHORTEST_PREFIX4 8

/* RFC 4291 §2.4: what is allocated as global unicast, 2000::/3. */
#define GLOBAL_UNICAST_MASK 0xe0
#define GLOBAL_UNICAST_BITS 0x20

/* What every host takes whole (RFC 791 §3.1); with less an attacker would make many packets of each. */
#define SMALLEST_MTU 576

#define ROUTE_TEXT_SIZE (IP_SUBNET_TEXT_SIZE + IP_ADDRESS_TEXT_SIZE + sizeof(" via "))

/* A lease under examination. */
struct examination {
    const struct lease_policy *policy;
    const struct wire_lease *wire;
    struct lease *lease;
    char *inner_text; /* INNER_REASON_SIZE, of the last reason that names a network */
};

/* NULL, or why nothing from the LAN may name `subnet`, all of which lies within the shared network or another one of
 * ours (WALL-2). */
static const char *why_inner(const struct examination *examination, const struct ip_subnet *subnet)
{
    const struct lease_policy *policy = examination->policy;
    const struct network_link *link;
    struct ip_subnet inner;

    for (uint32_t i = 0; i < policy->shared->subnet_count; i++) {
        const struct wire_subnet *wire = &policy->shared->subnets[i];

        inner = (struct ip_subnet){wire_address_to(&wire->address), wire->prefix_length};
        if (subnet->prefix_length >= inner.prefix_length && ip_subnet_contains(&inner, &subnet->address))
            return "in a subnet of transit";
    }
    link = inner_prefixes_find_around(policy->links, policy->external_index, subnet, &inner);
    return link ? inner_prefix_reason(&inner, link, examination->inner_text) : NULL;
}

static const char *why_inner_address(const struct examination *examination, const struct ip_address *address)
{
    struct ip_subnet host = {*address, ip_family_bits(address->family)};

    return why_inner(examination, &host);
}

static bool is_of_another_link(const struct lease_policy *policy, const struct ip_address *address)
{
    for (size_t i = 0; i < policy->links->count; i++) {
        const struct network_link *link = &policy->links->links[i];

        if (link->index != policy->external_index && network_link_find(link, address))
            return true;
    }
    return false;
}

/* RFC 1122 §3.2.1.3; a /31 and a /32 have no such ends (RFC 3021). */
static bool is_end_of(const struct ip_subnet *subnet, const struct ip_address *address)
{
    struct ip_address first = ip_subnet_first(subnet);
    struct ip_address last = ip_subnet_last(subnet);

    return subnet->prefix_length + 1 < ip_family_bits(subnet->address.family) &&
           (ip_address_equal(address, &first) || ip_address_equal(address, &last));
}

static bool is_global_or_unique_local(const struct ip_address *address)
{
    return (address->bytes[0] & GLOBAL_UNICAST_MASK) == GLOBAL_UNICAST_BITS || ip_address_is_unique_local(address);
}

static const char *check_address4(const struct ip_subnet *subnet)
{
    if (subnet->prefix_length < SHORTEST_PREFIX4)
        return "the prefix is too short";
    return is_end_of(subnet, &subnet->address) ? "the subnet's network or broadcast address" : NULL;
}

static const char *check_address6(const struct examination *examination, const struct ip_subnet *subnet)
{
    bool is_given = examination->policy->is_attached && examination->wire->valid_seconds == LEASE_SECONDS_FOREVER;

    if (subnet->prefix_length != ip_family_bits(IP_FAMILY_6) && !is_given)
        return "a DHCPv6 address is a /128";
    if (!is_global_or_unique_local(&subnet->address))
        return "neither a global nor a unique local address";
    return examination->wire->router_count || examination->wire->route_count ? "DHCPv6 has no routes" : NULL;
}

/* Of any address of a lease; NULL, or why it cannot be ours. */
static const char *check_own(const struct examination *examination, const struct ip_address *address)
{
    const char *inner = why_inner_address(examination, address);

    if (!ip_address_is_host(address) || ip_address_is_link_local(address))
        return "no host's address";
    if (inner)
        return inner;
    return is_of_another_link(examination->policy, address) ? "the address of another interface" : NULL;
}

static const char *check_address(const struct examination *examination, uint8_t family)
{
    const struct lease *lease = examination->lease;
    struct ip_subnet subnet = {lease->address, lease->prefix_length};
    const char *refused;

    if (lease->address.family != family || lease->prefix_length == 0 || lease->prefix_length > ip_family_bits(family))
        return "address or prefix of another family";
    refused = check_own(examination, &lease->address);
    if (refused)
        return refused;
    if (examination->wire->valid_seconds == 0 ||
        examination->wire->preferred_seconds > examination->wire->valid_seconds)
        return "lifetimes make no sense";
    return family == IP_FAMILY_4 ? check_address4(&subnet) : check_address6(examination, &subnet);
}

static const char *check_further(const struct examination *examination, const struct wire_leased_address *wire,
                                 const struct ip_address *address)
{
    const struct lease *lease = examination->lease;
    const char *refused = check_own(examination, address);

    if (refused)
        return refused;
    if (address->family != IP_FAMILY_6 || lease->address.family != IP_FAMILY_6 || !is_global_or_unique_local(address))
        return "neither a global nor a unique local address";
    for (size_t i = 0; i < lease->further_count; i++) {
        if (ip_address_equal(&lease->further[i].address, address))
            return "named twice";
    }
    if (ip_address_equal(&lease->address, address))
        return "named twice";
    return wire->valid_seconds == 0 || wire->preferred_seconds > wire->valid_seconds ? "lifetimes make no sense" : NULL;
}

/* The others of the IA_NA; each is worth its own. */
static void take_further(struct examination *examination)
{
    struct lease *lease = examination->lease;

    for (uint32_t i = 0; i < examination->wire->further_count && i < LEASE_FURTHER_MAX; i++) {
        const struct wire_leased_address *wire = &examination->wire->further[i];
        struct ip_address address = wire_address_to(&wire->address);
        const char *reason = check_further(examination, wire, &address);

        if (!reason)
            lease->further[lease->further_count++] =
                (struct further_address){address, wire->valid_seconds, wire->preferred_seconds};
        else
            examination->policy->on_refused(IP_ADDRESS_TEXT(&address), reason, examination->policy->userdata);
    }
}

bool lease_has_on_link(const struct lease *lease, const struct ip_address *address)
{
    struct ip_subnet subnet = {lease->address, lease->prefix_length};

    if (ip_subnet_contains(&subnet, address))
        return true;
    for (size_t i = 0; i < lease->route_count; i++) {
        if (lease->routes[i].gateway.family == IP_FAMILY_NONE &&
            ip_subnet_contains(&lease->routes[i].destination, address))
            return true;
    }
    return false;
}

/* NULL, or why no packet is sent over `gateway`. */
static const char *check_gateway(const struct examination *examination, const struct ip_address *gateway)
{
    struct ip_subnet subnet = {examination->lease->address, examination->lease->prefix_length};
    const char *inner;

    if (gateway->family != subnet.address.family || !ip_address_is_host(gateway))
        return "no host's address";
    if (ip_address_equal(gateway, &subnet.address) || is_of_another_link(examination->policy, gateway))
        return "our own address";
    if (is_end_of(&subnet, gateway))
        return "the subnet's network or broadcast address";
    inner = why_inner_address(examination, gateway);
    if (inner)
        return inner;
    return lease_has_on_link(examination->lease, gateway) ? NULL : "not on link";
}

static const char *check_destination(const struct examination *examination, const struct ip_subnet *destination)
{
    static const struct ip_subnet forbidden[] = {
        {{IP_FAMILY_4, {127}}, 8}, /* loopback (RFC 1122 §3.2.1.3) */
        {{IP_FAMILY_4, {224}}, 3}, /* multicast, reserved and broadcast (RFC 5771, RFC 1112 §4) */
    };
    const struct lease *lease = examination->lease;
    struct ip_address first = ip_subnet_first(destination);
    const char *inner = why_inner(examination, destination);

    if (!ip_address_equal(&first, &destination->address))
        return "host bits are set";
    if (inner)
        return inner;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (ip_subnet_overlaps(&forbidden[i], destination))
            return "covers loopback or multicast addresses";
    }
    for (size_t i = 0; i < lease->route_count; i++) {
        if (ip_subnet_equal(&lease->routes[i].destination, destination))
            return "named twice";
    }
    return NULL;
}

static struct lease_route route_from(const struct wire_route *wire)
{
    struct lease_route route = {
        .destination = {wire_address_to(&wire->destination), wire->prefix_length},
        .gateway = wire_address_to(&wire->gateway),
    };

    if (ip_address_is_unspecified(&route.gateway))
        route.gateway = (struct ip_address){.family = IP_FAMILY_NONE};
    return route;
}

static void refuse_route(const struct examination *examination, const struct lease_route *route, const char *reason)
{
    char text[ROUTE_TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "%s via %s", IP_SUBNET_TEXT(&route->destination),
                   IP_ADDRESS_TEXT(&route->gateway));
    examination->policy->on_refused(text, reason, examination->policy->userdata);
}

/* NULL when the route was taken. */
static const char *take_route(struct examination *examination, const struct lease_route *route)
{
    struct lease *lease = examination->lease;
    const char *reason = NULL;

    if (route->gateway.family != IP_FAMILY_NONE)
        reason = check_gateway(examination, &route->gateway);
    if (!reason && route->destination.prefix_length > 0)
        reason = check_destination(examination, &route->destination);
    if (reason)
        return reason;
    if (route->destination.prefix_length > 0) {
        lease->routes[lease->route_count++] = *route;
        return NULL;
    }
    if (route->gateway.family == IP_FAMILY_NONE)
        return "a default route needs a gateway";
    if (lease->gateway.family != IP_FAMILY_NONE)
        return "a second default route";
    lease->gateway = route->gateway;
    return NULL;
}

/* What is on link goes first, in whatever order the server wrote it: it makes gateways reachable. */
static void take_routes(struct examination *examination, bool on_link)
{
    for (uint32_t i = 0; i < examination->wire->route_count && i < LEASE_ROUTES_MAX; i++) {
        struct lease_route route = route_from(&examination->wire->routes[i]);
        const char *reason;

        if ((route.gateway.family == IP_FAMILY_NONE) != on_link)
            continue;
        reason = take_route(examination, &route);
        if (reason)
            refuse_route(examination, &route, reason);
    }
}

/* Option 3, in the server's order of preference (RFC 2132 §3.5): the first one that can be used. */
static void take_router(struct examination *examination)
{
    for (uint32_t i = 0; i < examination->wire->router_count && i < LEASE_ROUTERS_MAX; i++) {
        struct ip_address router = wire_address_to(&examination->wire->routers[i]);
        const char *reason = check_gateway(examination, &router);

        if (!reason) {
            examination->lease->gateway = router;
            return;
        }
        examination->policy->on_refused(IP_ADDRESS_TEXT(&router), reason, examination->policy->userdata);
    }
}

/* Option 26, which makes ways narrower and never wider than the link. */
static void take_mtu(struct examination *examination)
{
    const struct lease_policy *policy = examination->policy;
    const struct network_link *external = link_table_find_index(policy->links, policy->external_index);
    uint32_t mtu = examination->wire->mtu;
    const char *reason = NULL;
    char text[sizeof("MTU 65535")];

    if (mtu > 0 && mtu < SMALLEST_MTU)
        reason = "below 576, which every host takes";
    else if (external && mtu > external->mtu)
        reason = "beyond the interface's";
    if (!reason) {
        examination->lease->mtu = mtu;
        return;
    }
    (void)snprintf(text, sizeof(text), "MTU %u", examination->wire->mtu);
    policy->on_refused(text, reason, policy->userdata);
}

bool lease_routes_equal(const struct lease *a, const struct lease *b)
{
    if (!ip_address_equal(&a->gateway, &b->gateway) || a->mtu != b->mtu || a->route_count != b->route_count)
        return false;
    for (size_t i = 0; i < a->route_count; i++) {
        if (!ip_subnet_equal(&a->routes[i].destination, &b->routes[i].destination) ||
            !ip_address_equal(&a->routes[i].gateway, &b->routes[i].gateway))
            return false;
    }
    return true;
}

int lease_policy_check(const struct lease_policy *policy, uint8_t family, const struct wire_lease *wire,
                       struct lease *ret, char reason[REASON_SIZE])
{
    char inner_text[INNER_REASON_SIZE];
    struct examination examination = {.policy = policy, .wire = wire, .lease = ret, .inner_text = inner_text};
    const char *refused;

    *ret = (struct lease){.address = wire_address_to(&wire->address), .prefix_length = wire->prefix_length};
    refused = check_address(&examination, family);
    if (refused) {
        text_copy_cut(reason, REASON_SIZE, refused);
        return -EPERM;
    }
    take_routes(&examination, true);
    take_routes(&examination, false);
    if (!wire->ignores_routers)
        take_router(&examination);
    take_mtu(&examination);
    take_further(&examination);
    return 0;
}
