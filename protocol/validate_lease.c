/*
 * The rules for DHCP's messages; see validate_lease.h. Form only: whether a lease makes sense on this link is for
 * netadmin's policy to say. Runs on both sides of the wall, without any privilege.
 */
#include "protocol/validate_lease.h"

#include "common/text.h"
#include "protocol/validate_parts.h"

static const char *check_routers(const struct wire_lease *lease, uint8_t family)
{
    if (lease->router_count > LEASE_ROUTERS_MAX)
        return "router count";
    for (uint32_t i = 0; i < LEASE_ROUTERS_MAX; i++) {
        const char *broken = check_address(&lease->routers[i], true);

        if (broken)
            return broken;
        if (lease->routers[i].family != (i < lease->router_count ? family : IP_FAMILY_NONE))
            return "router address family";
    }
    return NULL;
}

static const char *check_route(const struct wire_route *route, uint8_t family)
{
    const char *broken = check_address(&route->destination, false);

    if (!broken)
        broken = check_address(&route->gateway, false);
    if (broken)
        return broken;
    if (route->destination.family != family || route->gateway.family != family)
        return "route family";
    if (!is_zero(route->reserved, sizeof(route->reserved)))
        return "route padding not zero";
    return route->prefix_length > ip_family_bits(family) ? "route prefix length" : NULL;
}

static const char *check_routes(const struct wire_lease *lease, uint8_t family)
{
    if (lease->route_count > LEASE_ROUTES_MAX)
        return "route count";
    for (uint32_t i = 0; i < lease->route_count; i++) {
        const char *broken = check_route(&lease->routes[i], family);

        if (broken)
            return broken;
    }
    return is_zero((const uint8_t *)(lease->routes + lease->route_count),
                   (LEASE_ROUTES_MAX - lease->route_count) * sizeof(lease->routes[0]))
               ? NULL
               : "unused route not zero";
}

static bool has_address(const struct wire_lease *lease, uint32_t count, const struct wire_address *address)
{
    if (memcmp(&lease->address, address, sizeof(*address)) == 0)
        return true;
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(&lease->further[i].address, address, sizeof(*address)) == 0)
            return true;
    }
    return false;
}

/* None with DHCPv4. */
static const char *check_further(const struct wire_lease *lease)
{
    if (lease->further_count > LEASE_FURTHER_MAX || (lease->further_count > 0 && lease->address.family != IP_FAMILY_6))
        return "count of further addresses";
    for (uint32_t i = 0; i < lease->further_count; i++) {
        const struct wire_leased_address *further = &lease->further[i];
        const char *broken = check_address(&further->address, false);

        if (broken)
            return broken;
        if (further->address.family != IP_FAMILY_6)
            return "further address of another family";
        if (has_address(lease, i, &further->address))
            return "leased address twice";
        if (further->valid_seconds == 0 || further->preferred_seconds > further->valid_seconds)
            return "lifetimes of a further address";
    }
    return is_zero((const uint8_t *)(lease->further + lease->further_count),
                   (LEASE_FURTHER_MAX - lease->further_count) * sizeof(lease->further[0]))
               ? NULL
               : "unused further address not zero";
}

static const char *check_held_lease(const struct wire_lease *lease, uint32_t family)
{
    const char *broken = check_address(&lease->address, false);

    if (!broken)
        broken = check_address(&lease->server, true);
    if (broken)
        return broken;
    if (lease->address.family != family)
        return "lease of another family";
    if (lease->prefix_length == 0 || lease->prefix_length > ip_family_bits(lease->address.family))
        return "lease prefix length";
    if (lease->ignores_routers > 1)
        return "option 121";
    if (lease->mtu != 0 && (family != IP_FAMILY_4 || lease->mtu < LEASE_MTU_MIN))
        return "lease MTU";
    if (lease->valid_seconds == 0 || lease->preferred_seconds > lease->valid_seconds)
        return "lease lifetimes";
    broken = check_routers(lease, lease->address.family);
    if (!broken)
        broken = check_routes(lease, lease->address.family);
    return broken ? broken : check_further(lease);
}

static bool is_family(uint32_t family)
{
    return family == IP_FAMILY_4 || family == IP_FAMILY_6;
}

static bool needs_family(uint32_t kind)
{
    return kind == LEASE_EVENT_HELD || kind == LEASE_EVENT_LOST || kind == LEASE_EVENT_UNUSABLE;
}

const char *check_lease_event(const void *message)
{
    const struct message_lease_event *event = message;

    if (event->kind == 0 || event->kind >= LEASE_EVENT_MAX_)
        return "kind of lease event";
    if (!is_family(event->family) && (event->family != IP_FAMILY_NONE || needs_family(event->kind)))
        return "lease event family";
    if (!text_is_terminated(event->interface, sizeof(event->interface)) || event->interface[0] == '\0' ||
        !text_is_terminated(event->reason, sizeof(event->reason)) || event->reason[0] == '\0')
        return "string not terminated";
    if (event->is_carrier_down > 1)
        return "carrier";
    if (!text_is_terminated(event->problem, sizeof(event->problem)) ||
        (event->problem[0] != '\0') != (event->kind == LEASE_EVENT_UNUSABLE))
        return "problem of a lease event";
    if (event->kind == LEASE_EVENT_HELD)
        return check_held_lease(&event->lease, event->family);
    return is_zero((const uint8_t *)&event->lease, sizeof(event->lease)) ? NULL : "lease without being held";
}

const char *check_lease(const void *message)
{
    const struct message_lease *lease = message;

    if (!is_family(lease->family))
        return "lease family";
    if (lease->is_held > 1 || lease->reserved)
        return "lease state";
    if (lease->is_held)
        return check_held_lease(&lease->lease, lease->family);
    return is_zero((const uint8_t *)&lease->lease, sizeof(lease->lease)) ? NULL : "lease without being held";
}

const char *check_lease_applied(const void *message)
{
    const struct message_lease_applied *applied = message;

    if (!is_family(applied->family))
        return "lease family";
    if (applied->error > 0)
        return "error is no negative errno";
    return text_is_terminated(applied->reason, sizeof(applied->reason)) ? NULL : "reason not terminated";
}

const char *check_external_link(const void *message)
{
    const struct message_external_link *link = message;

    if (!text_is_terminated(link->name, sizeof(link->name)))
        return "string not terminated";
    if (link->has_links > 1)
        return "external link";
    if (link->index == 0)
        return link->is_running || link->name[0] != '\0' ? "no link with properties" : NULL;
    return link->index > INT32_MAX || link->is_running > 1 || link->name[0] == '\0' ? "external link" : NULL;
}
