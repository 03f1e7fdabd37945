/* The way out of one family, kept; see own_routes.h. Runs in anchord-netadmin and anchord-way with CAP_NET_ADMIN. */
#include "workers/netlink/network/own_routes.h"

#include "common/log.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"
#include "workers/netlink/network/route_requests.h"

#include <linux/rtnetlink.h>

/* include/net/ip_fib.h, fib_get_table() */
int own_routes_choose_table(struct own_routes *own, struct rtnetlink *rtnetlink)
{
    int exist;

    if (own->table)
        return 0;
    exist = routing_rules_exist(rtnetlink, own->family);
    if (request_failure_report(own->rules_failure, rtnetlink, exist) < 0)
        return exist;
    own->table = exist ? ROUTE_TABLE_NUMBER : RT_TABLE_MAIN;
    return 0;
}

/* Routes first: a rule must not lead into an empty table. */
static int install(struct own_routes *own, struct rtnetlink *rtnetlink, const struct own_routes_wish *wish)
{
    int routes = route_requests_bring_to(rtnetlink, wish->routes);
    int rules = 0;

    if (routes == -EAFNOSUPPORT || routes == -EOPNOTSUPP)
        return routes;
    routes = request_failure_report(own->routes_failure, rtnetlink, routes);
    if (own->table != RT_TABLE_MAIN) {
        rules = routing_rules_apply(rtnetlink, own->family, wish->rules);
        rules = request_failure_report(own->rules_failure, rtnetlink, rules);
    }
    if (wish->failure < 0 || routes < 0 || rules < 0)
        return wish->failure < 0 ? wish->failure : routes < 0 ? routes : rules;
    if (routes > 0 && wish->has_gateway) /* a way to a gateway, once, however many routes that takes */
        metrics_add(METRIC_GATEWAY_ROUTE_REPLACES, own->family == IP_FAMILY_6, 1);
    return routes + rules;
}

/* Once, and only when it holds: a kernel without the family has no rules either. */
static void report_shadowing(struct own_routes *own)
{
    if (own->table != RT_TABLE_MAIN || own->reported_shadowing)
        return;
    own->reported_shadowing = true;
    log_warn("the kernel has no policy routing: routes of ours in the main table, more specific than its default "
             "route, shadow that one instead of replacing it, which Docker needs unchanged",
             LOG_PROBLEM(PROBLEM_KERNEL_TOO_OLD), LOG_TEXT("family", ip_family_to_string(own->family)),
             LOG_TEXT("routes", own->family == IP_FAMILY_4 ? "0.0.0.0/1, 128.0.0.0/1" : "::/1, 8000::/1"));
}

void own_routes_report_repair(uint8_t family, int changes)
{
    log_warn("routes or rules of ours were changed by somebody else, put back", LOG_PROBLEM(PROBLEM_RULES_CHANGED),
             LOG_TEXT("family", ip_family_to_string(family)), LOG_NUMBER("changes", changes));
}

int own_routes_apply(struct own_routes *own, struct rtnetlink *rtnetlink, const struct own_routes_wish *wish)
{
    int changes = install(own, rtnetlink, wish);

    if (changes == -EAFNOSUPPORT || changes == -EOPNOTSUPP) {
        own->is_absent = true;
        log_info("the kernel lacks an address family, going on without",
                 LOG_TEXT("family", ip_family_to_string(own->family)));
        return 0;
    }
    if (changes > 0 && own->is_settled && !wish->is_new)
        own_routes_report_repair(own->family, changes);
    own->is_settled = changes >= 0;
    if (own->is_settled)
        report_shadowing(own);
    metrics_set(METRIC_DEFAULT_ROUTE_PRESENT, own->family == IP_FAMILY_6, own->is_settled && wish->has_gateway);
    return changes < 0 ? changes : 0;
}

int own_routes_remove(struct own_routes *own, struct rtnetlink *rtnetlink)
{
    int rules = 0;
    int routes = own_routes_choose_table(own, rtnetlink);

    if (own->is_absent || routes < 0)
        return routes;
    if (own->table != RT_TABLE_MAIN) {
        rules = routing_rules_remove(rtnetlink, own->family);
        (void)request_failure_report(own->rules_failure, rtnetlink, rules);
    }
    routes = route_requests_remove_ours(rtnetlink, own->family, own->table);
    (void)request_failure_report(own->routes_failure, rtnetlink, routes);
    return rules < 0 ? rules : routes;
}

bool own_routes_concern(const struct nlmsghdr *message)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    uint32_t table;

    if (message->nlmsg_type != RTM_NEWROUTE && message->nlmsg_type != RTM_DELROUTE)
        return true;
    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return false;
    rtnetlink_attributes(message, sizeof(*header), attributes, RTA_MAX);
    table = rtnetlink_get_u32(attributes[RTA_TABLE], header->rtm_table);
    return header->rtm_protocol == ROUTE_PROTOCOL || header->rtm_dst_len == HALF_PREFIX_LENGTH ||
           table == ROUTE_TABLE_NUMBER || table == INNER_ROUTE_TABLE_NUMBER;
}
