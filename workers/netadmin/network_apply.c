/*
 * The kernel brought to what topology and links ask for; see network_internal.h. Runs in anchord-netadmin with
 * CAP_NET_ADMIN, after each burst of notifications. Every step compares first, so that doing it twice, or after a
 * predecessor died, changes nothing.
 */
#include "common/log.h"
#include "protocol/metrics.h"
#include "workers/netadmin/link/claimed_addresses.h"
#include "workers/netadmin/link/device_settings.h"
#include "workers/netadmin/link/link_local.h"
#include "workers/netadmin/network_internal.h"
#include "workers/netadmin/route/route_table.h"
#include "workers/netadmin/route/routing_rules.h"

#include <linux/rtnetlink.h>

static void keep_first(int *first, int result)
{
    if (*first == 0 && result < 0)
        *first = result;
}

static int apply_settings(struct network *network, enum device_side side, enum network_step step)
{
    const struct network_link *link = network_ground_find(&network->ground, side);
    struct rtnetlink_request request;
    int result;

    if (!link)
        return 0;
    result = device_settings_apply(network->ground.rtnetlink, &request, link->index, link->name, side, &link->settings);
    if (result > 0)
        log_info("device settings changed", LOG_TEXT("interface", link->name),
                 LOG_BOOLEAN("forwarding_was_off", link->settings.forwarding == 0));
    return network_ground_report(&network->ground, step, &request, result);
}

static int restore_addresses(struct network *network, enum device_side side, enum network_step step)
{
    const struct network_link *link = network_ground_find(&network->ground, side);
    struct rtnetlink_request request;
    int result;

    if (!link)
        return 0;
    result = address_keeper_restore(network->ground.rtnetlink, &request, &network->kept[side], link);
    if (result > 0)
        log_info("IPv6 addresses restored, which were lost with the link down", LOG_TEXT("interface", link->name),
                 LOG_NUMBER("addresses", result));
    return network_ground_report(&network->ground, step, &request, result);
}

static int settle_link_local(struct network *network)
{
    const struct network_link *shared = network_ground_find(&network->ground, DEVICE_SIDE_SHARED);
    struct rtnetlink_request request;
    int result;

    if (!shared || !shared->is_up)
        return 0;
    result = link_local_settle(network->ground.rtnetlink, &request, shared);
    return network_ground_report(&network->ground, NETWORK_STEP_LINK_LOCAL, &request, result);
}

static int apply_claim(struct network *network)
{
    const struct network_link *shared = network_ground_find(&network->ground, DEVICE_SIDE_SHARED);
    struct rtnetlink_request request;
    int result;

    if (!shared || !network->claims_gateway)
        return 0;
    result = claimed_addresses_apply(network->ground.rtnetlink, &request, shared, &network->shared_believed,
                                     announcer_peer_may_claim, &network->announcer);
    if (result > 0)
        log_info("gateway addresses claimed", LOG_TEXT("interface", shared->name), LOG_NUMBER("addresses", result));
    return network_ground_report(&network->ground, NETWORK_STEP_CLAIM, &request, result);
}

/* The kernel brings them back with each advertisement: the log hears of powers of two only. */
static int remove_trespassers(struct network *network, const struct network_link *external)
{
    struct rtnetlink_request request;
    int count =
        route_table_remove_trespassers(network->ground.rtnetlink, &request, external->index, &network->shared_believed);

    for (int i = 0; i < count; i++) {
        network->trespassers++;
        if ((network->trespassers & (network->trespassers - 1)) == 0)
            log_warn("a router on the LAN advertises a subnet of the shared network; the route was removed",
                     LOG_TEXT("interface", external->name), LOG_TEXT("network", network->ground.topology.shared.name),
                     LOG_NUMBER("removed", network->trespassers));
    }
    return network_ground_report(&network->ground, NETWORK_STEP_TRESPASSERS, &request, count);
}

static int choose_gateway(struct network *network, const struct family_state *family,
                          const struct network_link *external, struct gateway_choice *ret)
{
    struct gateway routers[ROUTERS_READ_MAX];
    struct gateway_inputs inputs = {
        .family = family->family,
        .pin = family->pin,
        .external = &network->ground.topology.external,
        .routers = routers,
        .link = external,
        .lease = network_lease_in_force(network, family->family),
        .prefers_advertised = network->ground.address_mode != ADDRESS_MODE_BOOTSTRAP,
    };
    struct rtnetlink_request request;

    if (family->family == IP_FAMILY_6) {
        int count =
            route_table_read_routers(network->ground.rtnetlink, &request, external->index, routers, ROUTERS_READ_MAX);

        if (network_ground_report(&network->ground, NETWORK_STEP_ROUTERS, &request, count) < 0)
            return count;
        inputs.router_count = (size_t)count;
        (void)router_watch_look(&network->routers, external, routers, inputs.router_count); /* reported */
    }
    *ret = gateway_choose(&inputs);
    return 0;
}

/* Takes over a new decision and says it. Returns true when it differs from the one before. */
static bool decide(const struct network *network, struct family_state *family, const struct network_link *external,
                   const struct gateway_choice *choice)
{
    uint32_t link_index = external && external->is_up ? external->index : 0;
    bool differs =
        !family->is_known || family->link_index != link_index || !gateway_choice_equal(&family->choice, choice);

    family->is_known = true;
    family->link_index = link_index;
    family->choice = *choice;
    if (differs && network->ground.role == ANCHOR_ROLE_SERVICE)
        network_report_service_gateway(family, external);
    else if (differs)
        network_report_gateway(family, external);
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
int network_choose_table(struct network *network, struct family_state *family)
{
    struct rtnetlink_request request;
    int exist;

    if (family->table)
        return 0;
    exist = routing_rules_exist(network->ground.rtnetlink, &request, family->family);
    if (network_ground_report(&network->ground, rules_step(family), &request, exist) < 0)
        return exist;
    family->table = exist ? ROUTE_TABLE_NUMBER : RT_TABLE_MAIN;
    return 0;
}

/* Routes first: a rule must not lead into an empty table. What is inside before the way out. */
static int install(struct network *network, struct family_state *family, const struct network_link *external,
                   int *ret_changes)
{
    struct route_wish wish = {family->family, family->table, external, &family->choice,
                              network_lease_in_force(network, family->family)};
    struct rtnetlink_request request;
    int inner = network_apply_inner(network, family);
    int routes = route_table_apply(network->ground.rtnetlink, &request, &wish);
    int rules = 0;

    if (routes == -EAFNOSUPPORT || routes == -EOPNOTSUPP)
        return routes;
    routes = network_ground_report(&network->ground, routes_step(family), &request, routes);
    if (family->table != RT_TABLE_MAIN) {
        rules = routing_rules_apply(network->ground.rtnetlink, &request, family->family,
                                    network->ground.role == ANCHOR_ROLE_NETWORK);
        rules = network_ground_report(&network->ground, rules_step(family), &request, rules);
    }
    if (inner < 0 || routes < 0 || rules < 0)
        return inner < 0 ? inner : routes < 0 ? routes : rules;
    if (routes > 0 && family->choice.count > 0) /* a way to a gateway, once, however many routes that takes */
        metrics_add(METRIC_GATEWAY_ROUTE_REPLACES, (size_t)(family - network->families), 1);
    *ret_changes = routes + rules;
    return 0;
}

static void show_family(const struct network *network, const struct family_state *family)
{
    metrics_set(METRIC_DEFAULT_ROUTE_PRESENT, (size_t)(family - network->families),
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

int network_apply_family(struct network *network, struct family_state *family, const struct network_link *link,
                         const struct gateway_choice *choice)
{
    bool differs = decide(network, family, link, choice);
    int changes = 0;
    int result = network_choose_table(network, family);

    if (result == 0)
        result = install(network, family, link, &changes);
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
    show_family(network, family);
    return result;
}

int network_remove_family(struct network *network, struct family_state *family)
{
    struct rtnetlink_request request;
    int rules = 0;
    int routes = network_choose_table(network, family);

    if (family->is_absent || routes < 0)
        return routes;
    if (family->table != RT_TABLE_MAIN) {
        rules = routing_rules_remove(network->ground.rtnetlink, &request, family->family);
        (void)network_ground_report(&network->ground, rules_step(family), &request, rules);
    }
    routes = route_table_remove(network->ground.rtnetlink, &request, family->family, family->table);
    (void)network_ground_report(&network->ground, routes_step(family), &request, routes);
    if (family->table != RT_TABLE_MAIN && network->ground.role == ANCHOR_ROLE_NETWORK) {
        int inner = route_table_remove(network->ground.rtnetlink, &request, family->family, INNER_ROUTE_TABLE_NUMBER);

        (void)network_ground_report(&network->ground, routes_step(family), &request, inner);
        routes = routes < 0 ? routes : inner;
    }
    return rules < 0 ? rules : routes;
}

static int apply_family(struct network *network, struct family_state *family)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    struct gateway_choice choice = {.source = GATEWAY_SOURCE_NONE};
    int result = 0;

    if (family->is_absent)
        return 0;
    if (external)
        result = network_choose_table(network, family);
    if (external && result == 0)
        result = network_adopt_lease(network, family);
    if (external && result == 0 && family->family == IP_FAMILY_6 && family->table == RT_TABLE_MAIN)
        result = remove_trespassers(network, external);
    if (external && result >= 0)
        result = choose_gateway(network, family, external, &choice);
    return result < 0 ? result : network_apply_family(network, family, external, &choice);
}

static uint32_t shortest_lifetime(const struct gateway_choice *choice)
{
    uint32_t shortest = 0;

    for (size_t i = 0; i < choice->count; i++) {
        uint32_t lifetime = choice->gateways[i].expires_in;

        if (lifetime && (!shortest || lifetime < shortest))
            shortest = lifetime;
    }
    return shortest;
}

int network_apply(struct network *network, uint32_t *ret_lifetime)
{
    int first = 0;

    *ret_lifetime = 0;
    if (network->ground.role == ANCHOR_ROLE_SERVICE)
        return network_apply_service(network);
    network_report_links(network);
    first = network_witness(network);
    if (first < 0)
        return first;
    network_report_inner(network);
    network_refuse_inner_leases(network);
    keep_first(&first, apply_settings(network, DEVICE_SIDE_EXTERNAL, NETWORK_STEP_EXTERNAL_SETTINGS));
    keep_first(&first, apply_settings(network, DEVICE_SIDE_SHARED, NETWORK_STEP_SHARED_SETTINGS));
    keep_first(&first, network_add_addresses(network));
    keep_first(&first, restore_addresses(network, DEVICE_SIDE_EXTERNAL, NETWORK_STEP_EXTERNAL_ADDRESSES));
    keep_first(&first, restore_addresses(network, DEVICE_SIDE_SHARED, NETWORK_STEP_SHARED_ADDRESSES));
    keep_first(&first, settle_link_local(network));
    keep_first(&first, apply_claim(network));
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        keep_first(&first, apply_family(network, &network->families[i]));
    keep_first(&first, network_remove_addresses(network));
    *ret_lifetime = shortest_lifetime(&network->families[FAMILY_INDEX_6].choice);
    return first;
}
