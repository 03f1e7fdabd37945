/* Our routing table; see route_table.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/route/route_table.h"

#include "common/text.h"

#include <linux/icmpv6.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

/* rta_expires counts in USER_HZ, 100 on all that we run on (include/asm-generic/param.h). */
#define TICKS_PER_SECOND 100

/* `expires` of rta_cacheinfo: 0 never, negative already over. */
static void parse_lifetime(const struct nlattr *cache_information, struct route *route)
{
    const struct rta_cacheinfo *information;

    if (!cache_information || mnl_attr_get_payload_len(cache_information) < sizeof(*information))
        return;
    information = mnl_attr_get_payload(cache_information);
    route->is_expired = information->rta_expires < 0;
    if (information->rta_expires > 0)
        route->expires_in = ((uint32_t)information->rta_expires + TICKS_PER_SECOND - 1) / TICKS_PER_SECOND;
}

static struct ip_address parse_address(const struct nlattr *attribute, uint8_t family)
{
    if (!attribute || mnl_attr_get_payload_len(attribute) != ip_family_length(family))
        return (struct ip_address){.family = IP_FAMILY_NONE};
    return ip_address_from_bytes(family, mnl_attr_get_payload(attribute));
}

static uint32_t parse_mtu(const struct nlattr *metrics)
{
    const struct nlattr *attributes[RTAX_MAX + 1];

    rtnetlink_nested_attributes(metrics, attributes, RTAX_MAX);
    return rtnetlink_get_u32(attributes[RTAX_MTU], 0);
}

static bool parse_route(const struct nlmsghdr *message, struct route *ret)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    uint8_t family;

    if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return false;
    family = ip_family_from_kernel(header->rtm_family);
    rtnetlink_attributes(message, sizeof(*header), attributes, RTA_MAX);
    *ret = (struct route){
        .family = family,
        .type = header->rtm_type,
        .protocol = header->rtm_protocol,
        .scope = header->rtm_scope,
        .preference = rtnetlink_get_u8(attributes[RTA_PREF], ICMPV6_ROUTER_PREF_MEDIUM),
        .destination_length = header->rtm_dst_len,
        .table = rtnetlink_get_u32(attributes[RTA_TABLE], header->rtm_table),
        .metric = rtnetlink_get_u32(attributes[RTA_PRIORITY], 0),
        .index = rtnetlink_get_u32(attributes[RTA_OIF], 0),
        .mtu = parse_mtu(attributes[RTA_METRICS]),
        .destination = parse_address(attributes[RTA_DST], family),
        .gateway = parse_address(attributes[RTA_GATEWAY], family),
        .source = parse_address(attributes[RTA_PREFSRC], family),
    };
    parse_lifetime(attributes[RTA_CACHEINFO], ret);
    return true;
}

static int dump_routes(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family, uint32_t table,
                       rtnetlink_handler handler, void *userdata)
{
    struct rtmsg *header = rtnetlink_request_begin(request, "list", RTM_GETROUTE, 0, sizeof(*header));
    int result;

    header->rtm_family = (uint8_t)ip_family_to_kernel(family);
    mnl_attr_put_u32(rtnetlink_request_message(request), RTA_TABLE, table);
    (void)snprintf(request->object, sizeof(request->object), "routes %s table %u", ip_family_to_string(family), table);
    result = rtnetlink_dump(rtnetlink, request, handler, userdata);
    return result == -ENOENT ? 0 : result; /* no route was ever in that table */
}

static void on_own_route(const struct nlmsghdr *message, void *userdata)
{
    struct route_list *list = userdata;
    struct route route;

    /* A kernel before 5.0 does not filter, and one without IPv6 answers with IPv4's routes. */
    if (list->count < ROUTES_MAX && parse_route(message, &route) && route.family == list->family &&
        route.table == list->table && route_plan_concerns(&route))
        list->routes[list->count++] = route;
}

static void describe(const struct route *route, char text[RTNETLINK_OBJECT_SIZE])
{
    struct ip_subnet destination = {route->destination, route->destination_length};
    char destination_text[IP_SUBNET_TEXT_SIZE] = "default";
    char gateway[IP_ADDRESS_TEXT_SIZE];

    if (route->destination_length)
        (void)ip_subnet_format(&destination, destination_text);
    (void)snprintf(text, RTNETLINK_OBJECT_SIZE, "%s%s %s via %s link %u table %u metric %u",
                   route->type == RTN_UNREACHABLE ? "unreachable " : "", ip_family_to_string(route->family),
                   destination_text, ip_address_format(&route->gateway, gateway), route->index, route->table,
                   route->metric);
}

/* RTA_METRICS { RTAX_MTU }: "mtu 1400" */
static void put_mtu(struct nlmsghdr *message, uint32_t mtu)
{
    struct nlattr *metrics = mnl_attr_nest_start(message, RTA_METRICS);

    mnl_attr_put_u32(message, RTAX_MTU, mtu);
    mnl_attr_nest_end(message, metrics);
}

static int change_route(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const char *operation,
                        uint16_t type, const struct route *route)
{
    uint16_t flags = type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0;
    struct rtmsg *header = rtnetlink_request_begin(request, operation, type, flags, sizeof(*header));
    struct nlmsghdr *message = rtnetlink_request_message(request);

    header->rtm_family = (uint8_t)ip_family_to_kernel(route->family);
    header->rtm_type = route->type;
    header->rtm_protocol = route->protocol;
    header->rtm_scope = route->scope;
    header->rtm_dst_len = route->destination_length;
    header->rtm_flags = route->is_on_link && type == RTM_NEWROUTE ? RTNH_F_ONLINK : 0;
    mnl_attr_put_u32(message, RTA_TABLE, route->table);
    mnl_attr_put_u32(message, RTA_PRIORITY, route->metric);
    if (route->destination_length)
        mnl_attr_put(message, RTA_DST, ip_family_length(route->family), route->destination.bytes);
    if (route->index)
        mnl_attr_put_u32(message, RTA_OIF, route->index);
    if (route->gateway.family)
        mnl_attr_put(message, RTA_GATEWAY, ip_family_length(route->family), route->gateway.bytes);
    if (route->source.family)
        mnl_attr_put(message, RTA_PREFSRC, ip_family_length(route->family), route->source.bytes);
    if (route->mtu && type == RTM_NEWROUTE)
        put_mtu(message, route->mtu);
    if (route->expires_in && type == RTM_NEWROUTE)
        mnl_attr_put_u32(message, RTA_EXPIRES, route->expires_in);
    if (route->family == IP_FAMILY_6 && type == RTM_NEWROUTE)
        mnl_attr_put_u8(message, RTA_PREF, route->preference);
    describe(route, request->object);
    return rtnetlink_execute(rtnetlink, request);
}

static int delete_route(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const struct route *route)
{
    int result = change_route(rtnetlink, request, "delete route", RTM_DELROUTE, route);

    return result == -ESRCH ? 0 : result; /* gone already */
}

/* Goes on after a failure: a route that a DHCP server invented must not keep the others away. Returns the number of
 * routes that were missing, or the first negative errno with its request in *request. */
static int install_missing(struct rtnetlink *rtnetlink, struct rtnetlink_request *request,
                           const struct route_list *wanted, const struct route_list *present)
{
    struct rtnetlink_request next;
    int missing = 0;
    int first = 0;

    for (size_t i = 0; i < wanted->count; i++) {
        const struct route *found = route_plan_find(present, &wanted->routes[i]);
        int result;

        if (found && route_plan_lifetime_equal(found, &wanted->routes[i]))
            continue;
        result = change_route(rtnetlink, &next, "replace route", RTM_NEWROUTE, &wanted->routes[i]);
        if (result < 0 && first == 0) {
            first = result;
            *request = next;
        }
        missing += found || result < 0 ? 0 : 1;
    }
    return first < 0 ? first : missing;
}

/* Returns the number of removed routes or a negative errno. */
static int remove_surplus(struct rtnetlink *rtnetlink, struct rtnetlink_request *request,
                          const struct route_list *wanted, const struct route_list *present)
{
    int removed = 0;

    for (size_t i = 0; i < present->count; i++) {
        int result;

        if (route_plan_find(wanted, &present->routes[i]) || !route_plan_may_remove(&present->routes[i]))
            continue;
        result = delete_route(rtnetlink, request, &present->routes[i]);
        if (result < 0)
            return result;
        removed++;
    }
    return removed;
}

/* Returns the number of changes or a negative errno. */
static int bring_table_to(struct rtnetlink *rtnetlink, struct rtnetlink_request *request,
                          const struct route_list *wanted)
{
    struct route_list present = {.family = wanted->family, .table = wanted->table};
    int result = dump_routes(rtnetlink, request, wanted->family, wanted->table, on_own_route, &present);
    int missing;

    if (result < 0)
        return result;
    missing = install_missing(rtnetlink, request, wanted, &present);
    if (missing < 0)
        return missing;
    /* What was replaced is gone: with the old list, the new route might be deleted for it. */
    if (missing > 0) {
        present.count = 0;
        result = dump_routes(rtnetlink, request, wanted->family, wanted->table, on_own_route, &present);
        if (result < 0)
            return result;
    }
    result = remove_surplus(rtnetlink, request, wanted, &present);
    return result < 0 ? result : missing + result;
}

int route_table_apply(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const struct route_wish *wish)
{
    struct route_list wanted;

    route_plan_list(wish, &wanted);
    return bring_table_to(rtnetlink, request, &wanted);
}

int route_table_apply_inner(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family,
                            const struct inner_prefix *prefixes, size_t count, const struct link_address *remembered)
{
    struct route_list wanted;

    route_plan_list_inner(family, prefixes, count, remembered, &wanted);
    return bring_table_to(rtnetlink, request, &wanted);
}

int route_table_read_remembered(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family,
                                struct link_address *ret)
{
    struct route_list present = {.family = family, .table = INNER_ROUTE_TABLE_NUMBER};
    int result = dump_routes(rtnetlink, request, family, INNER_ROUTE_TABLE_NUMBER, on_own_route, &present);

    route_plan_find_remembered(&present, ret);
    return result;
}

int route_table_remove(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family, uint32_t table)
{
    struct route_list present = {.family = family, .table = table};
    int result = dump_routes(rtnetlink, request, family, table, on_own_route, &present);

    for (size_t i = 0; i < present.count && result == 0; i++) {
        if (present.routes[i].protocol == ROUTE_PROTOCOL)
            result = delete_route(rtnetlink, request, &present.routes[i]);
    }
    return result;
}

struct trespass_reading {
    uint32_t index;
    const struct wire_network *shared;
    struct route_list found;
};

static void on_trespasser(const struct nlmsghdr *message, void *userdata)
{
    struct trespass_reading *reading = userdata;
    struct route_list *found = &reading->found;
    struct route route;

    if (found->count < ROUTES_MAX && parse_route(message, &route) &&
        route_plan_is_trespasser(&route, reading->index, reading->shared))
        found->routes[found->count++] = route;
}

int route_table_remove_trespassers(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint32_t index,
                                   const struct wire_network *shared)
{
    struct trespass_reading reading = {.index = index, .shared = shared};
    int result = dump_routes(rtnetlink, request, IP_FAMILY_6, RT_TABLE_MAIN, on_trespasser, &reading);

    for (size_t i = 0; i < reading.found.count && result == 0; i++)
        result = delete_route(rtnetlink, request, &reading.found.routes[i]);
    return result < 0 ? result : (int)reading.found.count;
}

struct router_reading {
    uint32_t index;
    struct gateway *routers;
    size_t count;
    size_t maximum;
};

static void on_main_route(const struct nlmsghdr *message, void *userdata)
{
    struct router_reading *reading = userdata;
    struct route route;

    if (reading->count == reading->maximum || !parse_route(message, &route) ||
        !route_plan_is_router(&route, reading->index))
        return;
    reading->routers[reading->count++] = (struct gateway){
        .address = route.gateway,
        .preference = route.preference,
        .expires_in = route.expires_in,
    };
}

int route_table_read_routers(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint32_t index,
                             struct gateway *ret, size_t maximum)
{
    struct router_reading reading = {.index = index, .routers = ret, .maximum = maximum};
    int result = dump_routes(rtnetlink, request, IP_FAMILY_6, RT_TABLE_MAIN, on_main_route, &reading);

    return result < 0 ? result : (int)reading.count;
}

int route_table_read_lease(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family,
                           uint32_t table, struct lease *ret)
{
    struct route_list present = {.family = family, .table = table};
    int result = dump_routes(rtnetlink, request, family, table, on_own_route, &present);

    route_plan_find_lease(&present, ret);
    return result;
}
