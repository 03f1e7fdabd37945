/* Our routing table; see route_table.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/route/route_table.h"

#include "common/text.h"

#include <linux/icmpv6.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

/* Not 1024: what is added without a metric gets that one in v6, and a replace would hit it. */
#define METRIC_FIRST_GATEWAY UINT32_C(100)
/* Of what a lease brought: a successor knows it by that. And the new default comes before the old one goes. */
#define METRIC_LEASE       UINT32_C(90)
#define METRIC_INNER       UINT32_C(100)
#define METRIC_UNREACHABLE UINT32_MAX

/* Routes of our table that are looked at in one reading: option 121's, a default for each router, `unreachable`, all
 * that twice while one lease follows another, and some of other people. */
#define ROUTES_OF_OTHERS_MAX 32
#define ROUTES_MAX           (2 * LEASE_ROUTES_MAX + ROUTES_OF_OTHERS_MAX)
static_assert(ROUTES_MAX - ROUTES_OF_OTHERS_MAX >= INNER_PREFIXES_MAX, "all inner prefixes and some of other people");

/* rta_expires counts in USER_HZ, 100 on all that we run on (include/asm-generic/param.h). */
#define TICKS_PER_SECOND 100

/* How far the mirrored lifetime may be from the advertised one before it is written anew, in seconds: both
 * count down together, whole seconds are lost in writing. */
#define LIFETIME_TOLERANCE 2

struct route {
    uint8_t family;
    uint8_t type;     /* RTN_… */
    uint8_t protocol; /* RTPROT_… */
    uint8_t scope;    /* RT_SCOPE_… */
    uint8_t preference;
    uint8_t destination_length;
    uint32_t table;
    uint32_t metric;
    uint32_t index; /* of the link; 0 for none */
    uint32_t mtu;   /* 0: the link's */
    uint32_t expires_in;
    bool is_expired;
    bool is_on_link; /* the gateway, whatever the kernel's own look-up says of it */
    struct ip_address destination;
    struct ip_address gateway;
    struct ip_address source; /* of what the anchor itself sends there */
};

struct route_list {
    uint8_t family;
    uint32_t table;
    struct route routes[ROUTES_MAX];
    size_t count;
};

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

/* In main, all that is not ours is none of our business. */
static bool is_in_question(const struct route *route)
{
    return route->table != RT_TABLE_MAIN || route->protocol == ROUTE_PROTOCOL;
}

static void on_own_route(const struct nlmsghdr *message, void *userdata)
{
    struct route_list *list = userdata;
    struct route route;

    /* A kernel before 5.0 does not filter, and one without IPv6 answers with IPv4's routes. */
    if (list->count < ROUTES_MAX && parse_route(message, &route) && route.family == list->family &&
        route.table == list->table && is_in_question(&route))
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

/* Of ways that a lease brought. The kernel would believe a route of more than its link takes. */
static uint32_t leased_mtu(const struct route_wish *wish)
{
    return wish->lease && wish->lease->mtu < wish->external->mtu ? wish->lease->mtu : 0;
}

/* What leads to one destination. `unreachable` is first, so that there is no moment without a last resort. */
static void list_destination(const struct route_wish *wish, const struct ip_subnet *destination, struct route_list *ret)
{
    struct route route = {
        .family = wish->family,
        .type = RTN_UNREACHABLE,
        .protocol = ROUTE_PROTOCOL,
        .scope = RT_SCOPE_UNIVERSE,
        .table = wish->table,
        .metric = METRIC_UNREACHABLE,
        .destination = destination->address,
        .destination_length = destination->prefix_length,
    };
    bool is_leased = wish->choice->source == GATEWAY_SOURCE_LEASE;

    ret->routes[ret->count++] = route;
    if (!wish->external || !wish->external->is_up)
        return;
    route.type = RTN_UNICAST;
    route.index = wish->external->index;
    for (size_t i = 0; i < wish->choice->count; i++) {
        const struct gateway *gateway = &wish->choice->gateways[i];

        route.metric = is_leased ? METRIC_LEASE : METRIC_FIRST_GATEWAY + (uint32_t)i;
        route.mtu = is_leased ? leased_mtu(wish) : 0;
        route.gateway = gateway->address;
        route.is_on_link = wish->choice->is_beyond_subnets;
        route.preference = gateway->preference;
        route.expires_in = gateway->expires_in;
        ret->routes[ret->count++] = route;
    }
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

/* What the table shall hold; route_table.h shows it. */
static void list_wanted(const struct route_wish *wish, struct route_list *ret)
{
    const uint8_t first_bytes[] = {0x00, 0x80}; /* of the two halves */
    struct ip_subnet destination = {.prefix_length = 0};

    list_leased(wish, ret);
    if (wish->table != RT_TABLE_MAIN) {
        list_destination(wish, &destination, ret);
        return;
    }
    destination = (struct ip_subnet){{.family = wish->family}, HALF_PREFIX_LENGTH};
    for (size_t i = 0; i < ARRAY_LENGTH(first_bytes); i++) {
        destination.address.bytes[0] = first_bytes[i];
        list_destination(wish, &destination, ret);
    }
}

static bool route_equal(const struct route *a, const struct route *b)
{
    /* The kernel names the loopback device for an unreachable v6 route. */
    return a->type == b->type && a->protocol == b->protocol && a->metric == b->metric &&
           a->destination_length == b->destination_length && a->preference == b->preference && a->mtu == b->mtu &&
           (a->type != RTN_UNICAST || a->index == b->index) && ip_address_equal(&a->destination, &b->destination) &&
           ip_address_equal(&a->gateway, &b->gateway) && ip_address_equal(&a->source, &b->source);
}

static bool lifetime_equal(const struct route *a, const struct route *b)
{
    uint32_t low = a->expires_in < b->expires_in ? a->expires_in : b->expires_in;
    uint32_t high = a->expires_in < b->expires_in ? b->expires_in : a->expires_in;

    return !a->is_expired && !b->is_expired && (low == 0) == (high == 0) && high - low <= LIFETIME_TOLERANCE;
}

static const struct route *find_equal(const struct route_list *list, const struct route *route)
{
    for (size_t i = 0; i < list->count; i++) {
        if (route_equal(&list->routes[i], route))
            return &list->routes[i];
    }
    return NULL;
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
        const struct route *found = find_equal(present, &wanted->routes[i]);
        int result;

        if (found && lifetime_equal(found, &wanted->routes[i]))
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

static bool is_ours_to_remove(const struct route *route)
{
    return route->protocol == ROUTE_PROTOCOL || route->destination_length == 0;
}

/* Returns the number of removed routes or a negative errno. */
static int remove_surplus(struct rtnetlink *rtnetlink, struct rtnetlink_request *request,
                          const struct route_list *wanted, const struct route_list *present)
{
    int removed = 0;

    for (size_t i = 0; i < present->count; i++) {
        int result;

        if (find_equal(wanted, &present->routes[i]) || !is_ours_to_remove(&present->routes[i]))
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
    struct route_list wanted = {.family = wish->family, .table = wish->table};

    list_wanted(wish, &wanted);
    return bring_table_to(rtnetlink, request, &wanted);
}

/*
 *     172.30.0.0/24 dev SHARED proto 110 scope link src 172.30.0.3 metric 100      (v6: without src)
 *     unreachable 172.30.0.0/24 proto 110 metric 100
 * IPv4 takes a link's first address for its source, whatever the subnet; IPv6 looks for the one that fits.
 */
static struct route inner_route(uint8_t family, const struct inner_prefix *prefix)
{
    struct route route = {
        .family = family,
        .type = prefix->is_up ? RTN_UNICAST : RTN_UNREACHABLE,
        .protocol = ROUTE_PROTOCOL,
        .scope = prefix->is_up && family == IP_FAMILY_4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
        .table = INNER_ROUTE_TABLE_NUMBER,
        .metric = METRIC_INNER,
        .index = prefix->is_up ? prefix->link_index : 0,
        .destination = prefix->subnet.address,
        .destination_length = prefix->subnet.prefix_length,
    };

    if (prefix->is_up && family == IP_FAMILY_4)
        route.source = prefix->source;
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

int route_table_apply_inner(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family,
                            const struct inner_prefix *prefixes, size_t count, const struct link_address *remembered)
{
    struct route_list wanted = {.family = family, .table = INNER_ROUTE_TABLE_NUMBER};

    if (remembered->address.family == family)
        wanted.routes[wanted.count++] = remembering_route(remembered);
    for (size_t i = 0; i < count; i++)
        wanted.routes[wanted.count++] = inner_route(family, &prefixes[i]);
    return bring_table_to(rtnetlink, request, &wanted);
}

int route_table_read_remembered(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family,
                                struct link_address *ret)
{
    struct route_list present = {.family = family, .table = INNER_ROUTE_TABLE_NUMBER};
    int result = dump_routes(rtnetlink, request, family, INNER_ROUTE_TABLE_NUMBER, on_own_route, &present);

    for (size_t i = 0; i < present.count; i++) {
        const struct route *route = &present.routes[i];

        if (route->protocol == ROUTE_PROTOCOL && route->type == RTN_THROW && route->metric > 0 &&
            route->metric <= ip_family_bits(family))
            *ret = (struct link_address){
                .address = route->destination,
                .prefix_length = (uint8_t)route->metric,
                .flags = family == IP_FAMILY_6 ? IFA_F_NODAD : 0,
            };
    }
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

static bool leads_into(const struct wire_network *network, const struct route *route)
{
    for (uint32_t i = 0; i < network->subnet_count; i++) {
        struct ip_subnet subnet = {wire_address_to(&network->subnets[i].address), network->subnets[i].prefix_length};

        if (route->destination_length >= subnet.prefix_length && ip_subnet_contains(&subnet, &route->destination))
            return true;
    }
    return false;
}

static void on_trespasser(const struct nlmsghdr *message, void *userdata)
{
    struct trespass_reading *reading = userdata;
    struct route_list *found = &reading->found;
    struct route route;

    if (found->count < ROUTES_MAX && parse_route(message, &route) && route.family == IP_FAMILY_6 &&
        route.table == RT_TABLE_MAIN && route.index == reading->index && route.type == RTN_UNICAST &&
        (route.protocol == RTPROT_KERNEL || route.protocol == RTPROT_RA) && leads_into(reading->shared, &route))
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

    if (reading->count == reading->maximum || !parse_route(message, &route) || route.family != IP_FAMILY_6 ||
        route.table != RT_TABLE_MAIN || route.protocol != RTPROT_RA || route.destination_length != 0 ||
        route.index != reading->index || route.gateway.family == IP_FAMILY_NONE || route.is_expired)
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
    uint8_t default_length = table == RT_TABLE_MAIN ? HALF_PREFIX_LENGTH : 0;

    for (size_t i = 0; i < present.count; i++) {
        const struct route *route = &present.routes[i];

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
    return result;
}
