/* Default route and rules of one family; see family_routes.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/route/family_routes.h"

#include "common/log.h"
#include "protocol/metrics.h"
#include "workers/netadmin/route/route_table.h"
#include "workers/netadmin/route/routing_rules.h"

#include <linux/rtnetlink.h>

/* --- what is said of a gateway --------------------------------------------------------------------------- */

static const char *why_no_gateway(const struct family_state *family, const struct network_link *external)
{
    if (!external)
        return "the external interface is not there";
    if (!external->is_up)
        return "the external interface is down";
    switch (family->choice.source) {
    case GATEWAY_SOURCE_PIN:
        return "the gateway of ANCHORD_EXT_GATEWAY_IP is not on link";
    case GATEWAY_SOURCE_IPAM:
        return "the network's IPAM gateway is not on link";
    case GATEWAY_SOURCE_LEASE:
        return "the lease's gateway is not on link";
    case GATEWAY_SOURCE_DNS:
    case GATEWAY_SOURCE_NONE:
    case GATEWAY_SOURCE_ADVERTISEMENT:
    case GATEWAY_SOURCE_MAX_:
        break;
    }
    return "no gateway is pinned, configured in IPAM or advertised";
}

/* A LAN without IPv6 is nothing to warn of. */
static bool expects_gateway(const struct family_state *family, const struct network_link *external)
{
    if (family->family == IP_FAMILY_4 || family->pin.family || family->choice.source != GATEWAY_SOURCE_NONE)
        return true;
    for (uint32_t i = 0; external && i < external->address_count; i++) {
        const struct ip_address *address = &external->addresses[i].address;

        if (address->family == family->family && !ip_address_is_link_local(address))
            return true;
    }
    return false;
}

static void report_gateway(const struct family_state *family, const struct network_link *external)
{
    const struct gateway_choice *choice = &family->choice;
    char gateway[IP_ADDRESS_TEXT_SIZE];

    if (family->link_index == 0 || choice->count == 0) {
        log_at(expects_gateway(family, external) ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
               "unreachable: no external gateway, nothing leaves",
               LOG_TEXT("family", ip_family_to_string(family->family)),
               LOG_TEXT("reason", why_no_gateway(family, external)));
        return;
    }
    log_info("external gateway chosen", LOG_TEXT("family", ip_family_to_string(family->family)),
             LOG_TEXT("gateway", ip_address_format(&choice->gateways[0].address, gateway)),
             LOG_TEXT("source", gateway_source_to_string(choice->source)), LOG_TEXT("interface", external->name),
             LOG_NUMBER("routers", choice->count));
}

/* In a service-anchor: the gateway, or why there is none. */
static void report_service_gateway(const struct family_state *family, const struct network_link *link)
{
    const char *source = family->choice.source == GATEWAY_SOURCE_PIN ? "ANCHORD_GATEWAY_IP" : "DNS";
    char gateway[IP_ADDRESS_TEXT_SIZE];

    if (family->link_index == 0) {
        log_warn("unreachable: no gateway, nothing leaves", LOG_TEXT("family", ip_family_to_string(family->family)),
                 LOG_TEXT("reason", link ? "the interface towards the gateway is down" : "the gateway is not on link"),
                 LOG_TEXT("gateway", ip_address_format(&family->answers.addresses[0], gateway)),
                 LOG_TEXT("source", source));
        return;
    }
    log_info("gateway chosen", LOG_TEXT("family", ip_family_to_string(family->family)),
             LOG_TEXT("gateway", ip_address_format(&family->choice.gateways[0].address, gateway)),
             LOG_TEXT("source", source), LOG_TEXT("interface", link->name));
}

/* --- what is inside (WALL-2) ----------------------------------------------------------------------------- */

/* Keeps what the table is to hold; returns whether that is other than before. */
static bool take_over(struct family_state *family, const struct inner_prefix *prefixes, size_t count,
                      const struct link_address *witnessed)
{
    bool differs = count != family->inner_count || !ip_address_equal(&family->remembered, &witnessed->address);

    family->remembered = witnessed->address;

    for (size_t i = 0; i < count; i++) {
        differs = differs || !inner_prefix_equal(&family->inner[i], &prefixes[i]);
        family->inner[i] = prefixes[i];
    }
    family->inner_count = count;
    return differs;
}

static int apply_inner(struct network_ground *ground, struct family_state *family, const struct link_address *witnessed)
{
    const struct network_link *external = network_ground_find(ground, DEVICE_SIDE_EXTERNAL);
    bool is_first = family->family == IP_FAMILY_4;
    struct inner_prefix prefixes[INNER_PREFIXES_MAX];
    struct rtnetlink_request request;
    size_t count, left_out; /* network_inner.c says it */
    bool differs;
    int changes;

    if (ground->role != ANCHOR_ROLE_NETWORK || family->table == RT_TABLE_MAIN)
        return 0;
    count = inner_prefixes_list(&ground->links, external ? external->index : 0, family->family, prefixes, &left_out);
    differs = take_over(family, prefixes, count, witnessed);
    changes = route_table_apply_inner(ground->rtnetlink, &request, family->family, prefixes, count, witnessed);
    if (changes > 0 && family->is_settled && !differs)
        log_warn("routes or rules of ours were changed by somebody else, put back",
                 LOG_TEXT("family", ip_family_to_string(family->family)), LOG_NUMBER("changes", changes));
    changes = network_ground_report(ground, is_first ? NETWORK_STEP_INNER4 : NETWORK_STEP_INNER6, &request, changes);
    return changes < 0 ? changes : 0;
}

/* --- the way out ----------------------------------------------------------------------------------------- */

/* Takes over a new decision and says it. Returns true when it differs from the one before. */
static bool decide(const struct network_ground *ground, struct family_state *family,
                   const struct network_link *external, const struct gateway_choice *choice)
{
    uint32_t link_index = external && external->is_up ? external->index : 0;
    bool differs =
        !family->is_known || family->link_index != link_index || !gateway_choice_equal(&family->choice, choice);

    family->is_known = true;
    family->link_index = link_index;
    family->choice = *choice;
    if (differs && ground->role == ANCHOR_ROLE_SERVICE)
        report_service_gateway(family, external);
    else if (differs)
        report_gateway(family, external);
    return differs;
}

static enum network_step rules_step(const struct family_state *family)
{
    return family->family == IP_FAMILY_4 ? NETWORK_STEP_RULES4 : NETWORK_STEP_RULES6;
}

static enum network_step routes_step(const struct family_state *family)
{
    return family->family == IP_FAMILY_4 ? NETWORK_STEP_ROUTES4 : NETWORK_STEP_ROUTES6;
}

/* Before the first route: a kernel without policy routing puts into main what is meant for any other table
 * (include/net/ip_fib.h, fib_get_table). */
int family_routes_choose_table(struct network_ground *ground, struct family_state *family)
{
    struct rtnetlink_request request;
    int exist;

    if (family->table)
        return 0;
    exist = routing_rules_exist(ground->rtnetlink, &request, family->family);
    if (network_ground_report(ground, rules_step(family), &request, exist) < 0)
        return exist;
    family->table = exist ? ROUTE_TABLE_NUMBER : RT_TABLE_MAIN;
    return 0;
}

/* Routes first: a rule must not lead into an empty table. What is inside before the way out. */
static int install(struct network_ground *ground, struct family_state *family, const struct family_inputs *inputs,
                   int *ret_changes)
{
    struct route_wish wish = {family->family, family->table, inputs->link, &family->choice, inputs->lease};
    struct rtnetlink_request request;
    int inner = apply_inner(ground, family, &inputs->witnessed);
    int routes = route_table_apply(ground->rtnetlink, &request, &wish);
    int rules = 0;

    if (routes == -EAFNOSUPPORT || routes == -EOPNOTSUPP)
        return routes;
    routes = network_ground_report(ground, routes_step(family), &request, routes);
    if (family->table != RT_TABLE_MAIN) {
        rules = routing_rules_apply(ground->rtnetlink, &request, family->family, ground->role == ANCHOR_ROLE_NETWORK);
        rules = network_ground_report(ground, rules_step(family), &request, rules);
    }
    if (inner < 0 || routes < 0 || rules < 0)
        return inner < 0 ? inner : routes < 0 ? routes : rules;
    if (routes > 0 && family->choice.count > 0) /* a way to a gateway, once, however many routes that takes */
        metrics_add(METRIC_GATEWAY_ROUTE_REPLACES, family->family == IP_FAMILY_6, 1);
    *ret_changes = routes + rules;
    return 0;
}

static void show_family(const struct family_state *family)
{
    metrics_set(METRIC_DEFAULT_ROUTE_PRESENT, family->family == IP_FAMILY_6,
                family->is_settled && family->choice.count > 0 && family->link_index != 0);
}

/* Once, and only when it holds: a kernel without the family has no rules either. */
static void report_shadowing(struct family_state *family)
{
    if (family->table != RT_TABLE_MAIN || family->reported_shadowing)
        return;
    family->reported_shadowing = true;
    log_warn("the kernel has no policy routing: routes of ours in the main table, more specific than its default "
             "route, shadow that one instead of replacing it, which Docker needs unchanged",
             LOG_TEXT("family", ip_family_to_string(family->family)),
             LOG_TEXT("routes", family->family == IP_FAMILY_4 ? "0.0.0.0/1, 128.0.0.0/1" : "::/1, 8000::/1"));
}

int family_routes_apply(struct network_ground *ground, struct family_state *family, const struct family_inputs *inputs,
                        const struct gateway_choice *choice)
{
    bool differs = decide(ground, family, inputs->link, choice);
    int changes = 0;
    int result = family_routes_choose_table(ground, family);

    if (result == 0)
        result = install(ground, family, inputs, &changes);
    if (result == -EAFNOSUPPORT || result == -EOPNOTSUPP) {
        family->is_absent = true;
        log_info("the kernel lacks an address family, going on without",
                 LOG_TEXT("family", ip_family_to_string(family->family)));
        return 0;
    }
    if (changes > 0 && family->is_settled && !differs)
        log_warn("routes or rules of ours were changed by somebody else, put back",
                 LOG_TEXT("family", ip_family_to_string(family->family)), LOG_NUMBER("changes", changes));
    family->is_settled = result == 0;
    if (family->is_settled)
        report_shadowing(family);
    show_family(family);
    return result;
}

int family_routes_remove(struct network_ground *ground, struct family_state *family)
{
    struct rtnetlink_request request;
    int rules = 0;
    int routes = family_routes_choose_table(ground, family);

    if (family->is_absent || routes < 0)
        return routes;
    if (family->table != RT_TABLE_MAIN) {
        rules = routing_rules_remove(ground->rtnetlink, &request, family->family);
        (void)network_ground_report(ground, rules_step(family), &request, rules);
    }
    routes = route_table_remove(ground->rtnetlink, &request, family->family, family->table);
    (void)network_ground_report(ground, routes_step(family), &request, routes);
    if (family->table != RT_TABLE_MAIN && ground->role == ANCHOR_ROLE_NETWORK) {
        int inner = route_table_remove(ground->rtnetlink, &request, family->family, INNER_ROUTE_TABLE_NUMBER);

        (void)network_ground_report(ground, routes_step(family), &request, inner);
        routes = routes < 0 ? routes : inner;
    }
    return rules < 0 ? rules : routes;
}
