/* What our routing tables are to hold; see route_plan.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/route_plan.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

/* Of what a lease brought: a successor knows it by that. And the new default comes before the old one goes. */
#define METRIC_LEASE UINT32_C(90)
#define METRIC_INNER UINT32_C(100)

/* Of ways that a lease brought. The kernel would believe a route of more than its link takes. */
static uint32_t leased_mtu(const struct route_wish *wish)
{
    return wish->lease && wish->lease->mtu < wish->external->mtu ? wish->lease->mtu : 0;
}

/* Through each gateway of the choice, best first. Returns how many. */
static size_t list_ways(const struct route_wish *wish, struct route ways[ROUTERS_MAX])
{
    bool is_leased = wish->choice->source == GATEWAY_SOURCE_LEASE;

    if (!wish->external || !wish->external->is_up)
        return 0;
    for (size_t i = 0; i < wish->choice->count; i++) {
        const struct gateway *gateway = &wish->choice->gateways[i];

        ways[i] = route_list_way(wish->family, &gateway->address, wish->external->index);
        ways[i].metric = is_leased ? METRIC_LEASE : METRIC_FIRST_GATEWAY + (uint32_t)i;
        ways[i].mtu = is_leased ? leased_mtu(wish) : 0;
        ways[i].is_on_link = wish->choice->is_beyond_subnets;
        ways[i].preference = gateway->preference;
        ways[i].expires_in = gateway->expires_in;
    }
    return wish->choice->count;
}

/* Option 121, without its default route. */
static void list_leased(const struct route_wish *wish, struct route_list *ret)
{
    if (!wish->lease || !wish->external || !wish->external->is_up)
        return;
    for (size_t i = 0; i < wish->lease->route_count; i++) {
        const struct lease_route *leased = &wish->lease->routes[i];
        struct ip_subnet subnet = {wish->lease->address, wish->lease->prefix_length};
        bool has_gateway = leased->gateway.family != IP_FAMILY_NONE;

        ret->routes[ret->count++] = (struct route){
            .family = wish->family,
            .type = RTN_UNICAST,
            .protocol = ROUTE_PROTOCOL,
            .scope = has_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
            .table = wish->table,
            .metric = METRIC_LEASE,
            .index = wish->external->index,
            .mtu = leased_mtu(wish),
            .destination = leased->destination.address,
            .destination_length = leased->destination.prefix_length,
            .gateway = leased->gateway,
            .is_on_link = has_gateway && !ip_subnet_contains(&subnet, &leased->gateway),
        };
    }
}

void route_plan_list(const struct route_wish *wish, struct route_list *ret)
{
    struct route ways[ROUTERS_MAX];

    *ret = (struct route_list){.family = wish->family, .table = wish->table};
    list_leased(wish, ret);
    route_list_add_defaults(ret, ways, list_ways(wish, ways));
}

static bool leads_into(const struct wire_network *network, const struct route *route)
{
    for (uint32_t i = 0; i < network->subnet_count; i++) {
        struct ip_subnet subnet = {wire_address_to(&network->subnets[i].address), network->subnets[i].prefix_length};

        if (route->destination_length >= subnet.prefix_length && ip_subnet_contains(&subnet, &route->destination))
            return true;
    }
    return false;
}

/*
 *     172.30.0.0/24 dev SHARED proto 110 scope link src 172.30.0.3 metric 100      (v6: without src)
 *     unreachable 172.30.0.0/24 proto 110 metric 100
 *     2001:db8::5 via fe80::… dev anchost proto 110 metric 100       (the host's, HOST-7)
 * IPv4 takes a link's first address for its source, whatever the subnet; IPv6 looks for the one that fits.
 */
static struct route inner_route(uint8_t family, const struct inner_prefix *prefix)
{
    struct route route = {
        .family = family,
        .type = prefix->is_up ? RTN_UNICAST : RTN_UNREACHABLE,
        .protocol = ROUTE_PROTOCOL,
        .scope = RT_SCOPE_UNIVERSE,
        .table = INNER_ROUTE_TABLE_NUMBER,
        .metric = METRIC_INNER,
        .destination = prefix->subnet.address,
        .destination_length = prefix->subnet.prefix_length,
    };

    if (!prefix->is_up)
        return route;
    route.index = prefix->link_index;
    route.gateway = prefix->gateway;
    route.is_on_link = prefix->gateway.family != IP_FAMILY_NONE; /* on a link that has no address of its network */
    if (family == IP_FAMILY_4) {
        route.scope = prefix->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
        route.source = prefix->source;
    }
    return route;
}

/*
 *     throw 10.99.0.50 proto 110 metric 24
 * The look-up goes on as if the table had nothing, so that it decides about no packet.
 */
static struct route remembering_route(const struct link_address *address)
{
    return (struct route){
        .family = address->address.family,
        .type = RTN_THROW,
        .protocol = ROUTE_PROTOCOL,
        .scope = RT_SCOPE_UNIVERSE,
        .table = INNER_ROUTE_TABLE_NUMBER,
        .metric = address->prefix_length,
        .destination = address->address,
        .destination_length = ip_family_bits(address->address.family),
    };
}

void route_plan_list_inner(uint8_t family, const struct inner_prefix *prefixes, size_t count,
                           const struct link_address *remembered, struct route_list *ret)
{
    *ret = (struct route_list){.family = family, .table = INNER_ROUTE_TABLE_NUMBER};
    if (remembered->address.family == family)
        ret->routes[ret->count++] = remembering_route(remembered);
    for (size_t i = 0; i < count; i++)
        ret->routes[ret->count++] = inner_route(family, &prefixes[i]);
}

void route_plan_find_remembered(const struct route_list *present, struct link_address *ret)
{
    for (size_t i = 0; i < present->count; i++) {
        const struct route *route = &present->routes[i];

        if (route->protocol == ROUTE_PROTOCOL && route->type == RTN_THROW && route->metric > 0 &&
            route->metric <= ip_family_bits(present->family))
            *ret = (struct link_address){
                .address = route->destination,
                .prefix_length = (uint8_t)route->metric,
                .flags = present->family == IP_FAMILY_6 ? IFA_F_NODAD : 0,
            };
    }
}

void route_plan_find_lease(const struct route_list *present, struct lease *ret)
{
    uint8_t default_length = present->table == RT_TABLE_MAIN ? HALF_PREFIX_LENGTH : 0;

    for (size_t i = 0; i < present->count; i++) {
        const struct route *route = &present->routes[i];

        if (route->protocol != ROUTE_PROTOCOL || route->metric != METRIC_LEASE || route->type != RTN_UNICAST)
            continue;
        ret->mtu = route->mtu; /* the same in all of them */
        if (route->destination_length == default_length)
            ret->gateway = route->gateway;
        else if (ret->route_count < LEASE_ROUTES_MAX)
            ret->routes[ret->route_count++] = (struct lease_route){
                .destination = {route->destination, route->destination_length},
                .gateway = route->gateway,
            };
    }
}

bool route_plan_is_trespasser(const struct route *route, uint32_t index, const struct wire_network *shared)
{
    return route->family == IP_FAMILY_6 && route->table == RT_TABLE_MAIN && route->index == index &&
           route->type == RTN_UNICAST && (route->protocol == RTPROT_KERNEL || route->protocol == RTPROT_RA) &&
           leads_into(shared, route);
}

bool route_plan_is_router(const struct route *route, uint32_t index)
{
    return route->family == IP_FAMILY_6 && route->table == RT_TABLE_MAIN && route->protocol == RTPROT_RA &&
           route->destination_length == 0 && route->index == index && route->gateway.family != IP_FAMILY_NONE &&
           !route->is_expired;
}
