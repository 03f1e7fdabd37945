/*
 * The kernel brought to what topology and links ask for; see network_internal.h. Runs in anchord-netadmin with
 * CAP_NET_ADMIN, after each burst of notifications. Every step compares first, so that doing it twice, or after a
 * predecessor died, changes nothing.
 */
#include "common/log.h"
#include "protocol/problems.h"
#include "workers/netadmin/address/lease_taking.h"
#include "workers/netadmin/link/attached_links.h"
#include "workers/netadmin/link/claimed_addresses.h"
#include "workers/netadmin/link/device_settings.h"
#include "workers/netadmin/link/link_local.h"
#include "workers/netadmin/network_internal.h"
#include "workers/netadmin/route/route_table.h"

#include <linux/rtnetlink.h>

static int apply_settings(struct network_ground *ground, enum device_side side, enum network_step step)
{
    const struct network_link *link = network_ground_find(ground, side);
    int result;

    if (!link)
        return 0;
    result = device_settings_apply(ground->rtnetlink, link->index, link->name, side, &link->settings);
    if (result > 0)
        log_info("device settings changed", LOG_TEXT("interface", link->name),
                 LOG_BOOLEAN("forwarding_was_off", link->settings.forwarding == 0));
    return network_ground_report(ground, step, result);
}

static int restore_addresses(struct network_ground *ground, struct kept_addresses *kept, enum device_side side,
                             enum network_step step)
{
    const struct network_link *link = network_ground_find(ground, side);
    int result;

    if (!link)
        return 0;
    result = address_keeper_restore(ground->rtnetlink, kept, link);
    if (result > 0)
        log_info("IPv6 addresses restored, which were lost with the link down", LOG_TEXT("interface", link->name),
                 LOG_NUMBER("addresses", result));
    return network_ground_report(ground, step, result);
}

static int settle_link_local(struct network_ground *ground)
{
    const struct network_link *shared = network_ground_find(ground, DEVICE_SIDE_SHARED);
    int result;

    if (!shared || !shared->is_up)
        return 0;
    result = link_local_settle(ground->rtnetlink, shared);
    return network_ground_report(ground, NETWORK_STEP_LINK_LOCAL, result);
}

static int apply_claim(struct network *network)
{
    const struct network_link *shared = network_ground_find(&network->ground, DEVICE_SIDE_SHARED);
    int result;

    if (!shared || !network->claims_gateway)
        return 0;
    result = claimed_addresses_apply(network->ground.rtnetlink, shared, &network->witness.shared_believed,
                                     announcer_peer_may_claim, &network->announcer);
    if (result > 0)
        log_info("gateway addresses claimed", LOG_TEXT("interface", shared->name), LOG_NUMBER("addresses", result));
    return network_ground_report(&network->ground, NETWORK_STEP_CLAIM, result);
}

/* The kernel brings them back with each advertisement: the log hears of powers of two only. */
static int remove_trespassers(struct network_ground *ground, const struct network_link *external,
                              const struct wire_network *shared, uint64_t *ever)
{
    int count = route_table_remove_trespassers(ground->rtnetlink, external->index, shared);

    for (int i = 0; i < count; i++) {
        (*ever)++;
        if ((*ever & (*ever - 1)) == 0)
            log_warn("a router on the LAN advertises a subnet of transit; the route was removed",
                     LOG_PROBLEM(PROBLEM_INNER_ADDRESS), LOG_TEXT("interface", external->name),
                     LOG_TEXT("network", ground->topology.shared.name), LOG_NUMBER("removed", *ever));
    }
    return network_ground_report(ground, NETWORK_STEP_TRESPASSERS, count);
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
        .lease = external_addresses_in_force(&network->addresses, family->family),
        .prefers_advertised = network->ground.address_mode != ADDRESS_MODE_BOOTSTRAP,
    };

    if (family->family == IP_FAMILY_6) {
        int count = route_table_read_routers(network->ground.rtnetlink, external->index, routers, ROUTERS_READ_MAX);

        if (network_ground_report(&network->ground, NETWORK_STEP_ROUTERS, count) < 0)
            return count;
        inputs.router_count = (size_t)count;
        (void)router_watch_look(&network->routers, external, routers, inputs.router_count); /* reported */
    }
    *ret = gateway_choose(&inputs);
    return 0;
}

/* Once, and before anything is changed. Without policy routing there is no table to remember in. */
static int recall(struct network_ground *ground, const struct family_state *family, struct own_witness *own)
{
    int result;

    if (own->has_recalled || family->own.table == RT_TABLE_MAIN)
        return 0;
    result = route_table_read_remembered(ground->rtnetlink, family->family, &own->address);
    if (result == -EAFNOSUPPORT || result == -EOPNOTSUPP)
        return 0;
    if (network_ground_report(ground, NETWORK_STEP_WITNESS, result) < 0)
        return result;
    own->has_recalled = true;
    return 0;
}

/* Before anything is changed: what a predecessor saw, then what the links show. */
static int look(struct network *network)
{
    bool has_external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL) != NULL;
    int first = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && has_external; i++) {
        struct family_state *family = &network->families[i];
        int result = family->own.is_absent ? 0 : own_routes_choose_table(&family->own, network->ground.rtnetlink);

        if (result == 0)
            result = recall(&network->ground, family, &network->witness.own[i]);
        keep_first(&first, result);
    }
    witness_look(&network->witness, &network->ground);
    return first;
}

static int apply_family(struct network *network, size_t family_index)
{
    struct family_state *family = &network->families[family_index];
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    struct gateway_choice choice = {.source = GATEWAY_SOURCE_NONE};
    struct family_inputs inputs = {
        .link = external,
        .witnessed = network->witness.own[family_index].address,
    };
    int result = 0;

    if (family->own.is_absent)
        return 0;
    if (external)
        result = own_routes_choose_table(&family->own, network->ground.rtnetlink);
    if (external && result == 0)
        result = external_addresses_adopt(&network->addresses, family_index, family->own.table);
    if (external && result == 0 && family->family == IP_FAMILY_6 && family->own.table == RT_TABLE_MAIN)
        result =
            remove_trespassers(&network->ground, external, &network->witness.shared_believed, &network->trespassers);
    if (external && result >= 0)
        result = choose_gateway(network, family, external, &choice);
    inputs.lease = external_addresses_in_force(&network->addresses, family->family);
    return result < 0 ? result : family_routes_apply(&network->ground, family, &inputs, &choice);
}

static int add_addresses(struct network *network)
{
    bool has_external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL) != NULL;
    int first = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        bool has_other_routes = false;
        int result = 0;

        if (!has_external || !network->families[i].own.is_absent)
            result = external_addresses_add(&network->addresses, i, &has_other_routes);
        if (has_other_routes)
            network->families[i].own.is_settled = false; /* what is missing now, nobody took away */
        keep_first(&first, result);
    }
    return first;
}

void network_note_duplicate(struct network *network, const struct network_link *link,
                            const struct link_address *address)
{
    if (external_addresses_note_duplicate(&network->addresses, address) &&
        duplicates_note(&network->duplicates, &address->address))
        announcer_peer_ask(&network->announcer, link, &address->address);
}

/* By the last reading: permanent addresses, be they leased for ever, stay without a word, unusable. */
static void look_for_duplicates(struct network *network, const struct network_link *external)
{
    for (uint32_t i = 0; i < external->address_count; i++) {
        const struct link_address *address = &external->addresses[i];

        if (address->address.family == IP_FAMILY_6 && address->flags & IFA_F_DADFAILED)
            network_note_duplicate(network, external, address);
    }
    duplicates_forget_usable(&network->duplicates, external);
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

static bool has_ipv6(const struct network_link *link)
{
    return link && !(link->settings.ipv6_flags & LINK_IPV6_DISABLED);
}

/* The shared network, or one of those behind an attached identity's links. */
static bool has_inner_subnet6(const struct network_ground *ground)
{
    const struct wire_network *shared = &ground->topology.shared;

    for (uint32_t i = 0; i < shared->subnet_count; i++) {
        if (shared->subnets[i].address.family == IP_FAMILY_6)
            return true;
    }
    for (uint32_t i = 0; i < ground->shared_links.count; i++) {
        for (uint32_t j = 0; j < ground->shared_links.items[i].subnet_count; j++) {
            if (ground->shared_links.items[i].subnets[j].address.family == IP_FAMILY_6)
                return true;
        }
    }
    return false;
}

/* NAT-13: no netlink message reaches this setting. */
static void look_for_forwarding6(struct network *network)
{
    bool is_needed = has_ipv6(network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL)) ||
                     has_ipv6(network_ground_find(&network->ground, DEVICE_SIDE_SHARED));

    network->lacks_forwarding6 = is_needed && has_inner_subnet6(&network->ground) &&
                                 device_settings_read_forwarding6(network->ground.rtnetlink) == 0;
}

int network_apply(struct network *network, uint32_t *ret_lifetime)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    int first = 0;

    *ret_lifetime = 0;
    look_for_forwarding6(network);
    if (external)
        look_for_duplicates(network, external);
    first = look(network);
    if (first < 0)
        return first;
    lease_taking_refuse_inner(&network->addresses, &network->guard);
    keep_first(&first, attached_links_settle(&network->ground));
    keep_first(&first, apply_settings(&network->ground, DEVICE_SIDE_EXTERNAL, NETWORK_STEP_EXTERNAL_SETTINGS));
    keep_first(&first, apply_settings(&network->ground, DEVICE_SIDE_SHARED, NETWORK_STEP_SHARED_SETTINGS));
    keep_first(&first, add_addresses(network));
    keep_first(&first, restore_addresses(&network->ground, &network->kept[DEVICE_SIDE_EXTERNAL], DEVICE_SIDE_EXTERNAL,
                                         NETWORK_STEP_EXTERNAL_ADDRESSES));
    keep_first(&first, restore_addresses(&network->ground, &network->kept[DEVICE_SIDE_SHARED], DEVICE_SIDE_SHARED,
                                         NETWORK_STEP_SHARED_ADDRESSES));
    keep_first(&first, settle_link_local(&network->ground));
    keep_first(&first, apply_claim(network));
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        keep_first(&first, apply_family(network, i));
    keep_first(&first, external_addresses_remove(&network->addresses));
    *ret_lifetime = shortest_lifetime(&network->families[FAMILY_INDEX_6].choice);
    return first;
}
