/* A routing table read and brought to what it shall hold; see route_requests.h. Runs in anchord-netadmin and
 * anchord-way with CAP_NET_ADMIN. */
#include "workers/netlink/network/route_requests.h"

#include <linux/icmpv6.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

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

struct reading {
    struct route_list *list;
    route_filter is_wanted;
    const void *userdata;
};

static void on_route(const struct nlmsghdr *message, void *userdata)
{
    const struct reading *reading = userdata;
    struct route_list *list = reading->list;
    struct route route;

    /* A kernel before 5.0 does not filter, and one without IPv6 answers with IPv4's routes. */
    if (list->count < ROUTES_MAX && parse_route(message, &route) && route.family == list->family &&
        route.table == list->table && reading->is_wanted(&route, reading->userdata))
        list->routes[list->count++] = route;
}

int route_requests_read(struct rtnetlink *rtnetlink, route_filter is_wanted, const void *userdata,
                        struct route_list *ret)
{
    struct rtmsg *header = rtnetlink_begin(rtnetlink, "list", RTM_GETROUTE, 0, sizeof(*header));
    struct reading reading = {ret, is_wanted, userdata};
    int result;

    header->rtm_family = (uint8_t)ip_family_to_kernel(ret->family);
    mnl_attr_put_u32(rtnetlink_message(rtnetlink), RTA_TABLE, ret->table);
    rtnetlink_describe(rtnetlink, "routes %s table %u", ip_family_to_string(ret->family), ret->table);
    result = rtnetlink_dump(rtnetlink, on_route, &reading);
    return result == -ENOENT ? 0 : result; /* no route was ever in that table */
}

static bool is_any_of_ours(const struct route *route, const void *userdata)
{
    (void)userdata;
    return route_concerns_us(route);
}

int route_requests_read_ours(struct rtnetlink *rtnetlink, struct route_list *ret)
{
    return route_requests_read(rtnetlink, is_any_of_ours, NULL, ret);
}

static void describe(const struct route *route, char text[RTNETLINK_OBJECT_SIZE])
{
    struct ip_subnet destination = {route->destination, route->destination_length};
    char destination_text[IP_SUBNET_TEXT_SIZE] = "default";

    if (route->destination_length)
        (void)ip_subnet_format(&destination, destination_text);
    (void)snprintf(text, RTNETLINK_OBJECT_SIZE, "%s%s %s via %s link %u table %u metric %u",
                   route->type == RTN_UNREACHABLE ? "unreachable " : "", ip_family_to_string(route->family),
                   destination_text, IP_ADDRESS_TEXT(&route->gateway), route->index, route->table, route->metric);
}

/* RTA_METRICS { RTAX_MTU }: "mtu 1400" */
static void put_mtu(struct nlmsghdr *message, uint32_t mtu)
{
    struct nlattr *metrics = mnl_attr_nest_start(message, RTA_METRICS);

    mnl_attr_put_u32(message, RTAX_MTU, mtu);
    mnl_attr_nest_end(message, metrics);
}

static int change_route(struct rtnetlink *rtnetlink, const char *operation, uint16_t type, const struct route *route)
{
    uint16_t flags = type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0;
    struct rtmsg *header = rtnetlink_begin(rtnetlink, operation, type, flags, sizeof(*header));
    struct nlmsghdr *message = rtnetlink_message(rtnetlink);

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
    describe(route, rtnetlink_request(rtnetlink)->object);
    return rtnetlink_execute(rtnetlink);
}

int route_requests_delete(struct rtnetlink *rtnetlink, const struct route *route)
{
    int result = change_route(rtnetlink, "delete route", RTM_DELROUTE, route);

    return result == -ESRCH ? 0 : result; /* gone already */
}

/* Returns the number of routes that were missing, or the first negative errno with its request as the last one. */
static int install_missing(struct rtnetlink *rtnetlink, const struct route_list *wanted,
                           const struct route_list *present)
{
    struct rtnetlink_request failed = {0};
    int missing = 0;
    int first = 0;

    for (size_t i = 0; i < wanted->count; i++) {
        const struct route *found = route_list_find(present, &wanted->routes[i]);
        int result;

        if (found && route_lifetime_equal(found, &wanted->routes[i]))
            continue;
        result = change_route(rtnetlink, "replace route", RTM_NEWROUTE, &wanted->routes[i]);
        if (result < 0 && first == 0) {
            first = result;
            failed = *rtnetlink_request(rtnetlink);
        }
        missing += found || result < 0 ? 0 : 1;
    }
    if (first < 0)
        *rtnetlink_request(rtnetlink) = failed;
    return first < 0 ? first : missing;
}

/* Returns the number of removed routes or a negative errno. */
static int remove_surplus(struct rtnetlink *rtnetlink, const struct route_list *wanted,
                          const struct route_list *present)
{
    int removed = 0;

    for (size_t i = 0; i < present->count; i++) {
        int result;

        if (route_list_find(wanted, &present->routes[i]) || !route_may_remove(&present->routes[i]))
            continue;
        result = route_requests_delete(rtnetlink, &present->routes[i]);
        if (result < 0)
            return result;
        removed++;
    }
    return removed;
}

int route_requests_bring_to(struct rtnetlink *rtnetlink, const struct route_list *wanted)
{
    struct route_list present = {.family = wanted->family, .table = wanted->table};
    int result = route_requests_read_ours(rtnetlink, &present);
    int missing;

    if (result < 0)
        return result;
    missing = install_missing(rtnetlink, wanted, &present);
    if (missing < 0)
        return missing;
    /* What was replaced is gone: with the old list, the new route might be deleted for it. */
    if (missing > 0) {
        present.count = 0;
        result = route_requests_read_ours(rtnetlink, &present);
        if (result < 0)
            return result;
    }
    result = remove_surplus(rtnetlink, wanted, &present);
    return result < 0 ? result : missing + result;
}

int route_requests_remove_ours(struct rtnetlink *rtnetlink, uint8_t family, uint32_t table)
{
    struct route_list present = {.family = family, .table = table};
    int result = route_requests_read_ours(rtnetlink, &present);

    for (size_t i = 0; i < present.count && result == 0; i++) {
        if (present.routes[i].protocol == ROUTE_PROTOCOL)
            result = route_requests_delete(rtnetlink, &present.routes[i]);
    }
    return result;
}
