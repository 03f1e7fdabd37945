/* Routes of ours as values; see route_list.h. Pure; runs in anchord-netadmin, anchord-way and their tests. */
#include "workers/netlink/plan/route_list.h"

#include "common/cleanup.h"

#include <linux/rtnetlink.h>

#define METRIC_UNREACHABLE UINT32_MAX

/* How far the mirrored lifetime may be from the advertised one before it is written anew, in seconds: both
 * count down together, whole seconds are lost in writing. */
#define LIFETIME_TOLERANCE 2

struct route route_list_way(uint8_t family, const struct ip_address *gateway, uint32_t link_index)
{
    return (struct route){
        .family = family,
        .type = RTN_UNICAST,
        .protocol = ROUTE_PROTOCOL,
        .scope = RT_SCOPE_UNIVERSE,
        .metric = METRIC_FIRST_GATEWAY,
        .index = link_index,
        .gateway = *gateway,
    };
}

/* What leads to one destination. */
static void add_destination(struct route_list *list, const struct ip_subnet *destination, const struct route *ways,
                            size_t count)
{
    list->routes[list->count++] = (struct route){
        .family = list->family,
        .type = RTN_UNREACHABLE,
        .protocol = ROUTE_PROTOCOL,
        .scope = RT_SCOPE_UNIVERSE,
        .table = list->table,
        .metric = METRIC_UNREACHABLE,
        .destination = destination->address,
        .destination_length = destination->prefix_length,
    };
    for (size_t i = 0; i < count; i++) {
        struct route *route = &list->routes[list->count++];

        *route = ways[i];
        route->table = list->table;
        route->destination = destination->address;
        route->destination_length = destination->prefix_length;
    }
}

void route_list_add_defaults(struct route_list *list, const struct route *ways, size_t count)
{
    const uint8_t first_bytes[] = {0x00, 0x80}; /* of the two halves */
    struct ip_subnet destination = {.prefix_length = 0};

    if (list->table != RT_TABLE_MAIN) {
        add_destination(list, &destination, ways, count);
        return;
    }
    destination = (struct ip_subnet){{.family = list->family}, HALF_PREFIX_LENGTH};
    for (size_t i = 0; i < ARRAY_LENGTH(first_bytes); i++) {
        destination.address.bytes[0] = first_bytes[i];
        add_destination(list, &destination, ways, count);
    }
}

static bool is_same_route(const struct route *a, const struct route *b)
{
    /* The kernel names the loopback device for an unreachable v6 route. */
    return a->type == b->type && a->protocol == b->protocol && a->metric == b->metric &&
           a->destination_length == b->destination_length && a->preference == b->preference && a->mtu == b->mtu &&
           (a->type != RTN_UNICAST || a->index == b->index) && ip_address_equal(&a->destination, &b->destination) &&
           ip_address_equal(&a->gateway, &b->gateway) && ip_address_equal(&a->source, &b->source);
}

bool route_lifetime_equal(const struct route *a, const struct route *b)
{
    uint32_t low = a->expires_in < b->expires_in ? a->expires_in : b->expires_in;
    uint32_t high = a->expires_in < b->expires_in ? b->expires_in : a->expires_in;

    return !a->is_expired && !b->is_expired && (low == 0) == (high == 0) && high - low <= LIFETIME_TOLERANCE;
}

const struct route *route_list_find(const struct route_list *list, const struct route *route)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_same_route(&list->routes[i], route))
            return &list->routes[i];
    }
    return NULL;
}

bool route_concerns_us(const struct route *route)
{
    return route->table != RT_TABLE_MAIN || route->protocol == ROUTE_PROTOCOL;
}

bool route_may_remove(const struct route *route)
{
    return route->protocol == ROUTE_PROTOCOL || route->destination_length == 0;
}
