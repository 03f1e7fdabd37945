/* Default route and rules of one family; see family_routes.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/route/family_routes.h"

#include "workers/netadmin/route/route_table.h"
#include "workers/netlink/network/route_requests.h"

#include <linux/rtnetlink.h>

bool family_routes_expect_gateway(const struct network_ground *ground, const struct family_state *family)
{
    const struct network_link *external = network_ground_find(ground, DEVICE_SIDE_EXTERNAL);

    if (!ground->is_attached &&
        (family->family == IP_FAMILY_4 || family->pin.family || family->choice.source != GATEWAY_SOURCE_NONE))
        return true;
    for (uint32_t i = 0; external && i < external->address_count; i++) {
        const struct ip_address *address = &external->addresses[i].address;

        if (address->family == family->family && !ip_address_is_link_local(address))
            return true;
    }
    return false;
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

static enum network_step inner_step(const struct family_state *family)
{
    return family->family == IP_FAMILY_4 ? NETWORK_STEP_INNER4 : NETWORK_STEP_INNER6;
}

/* Under attach others tell of it: a successor leaves its predecessor's routes until they have, or what comes in and
 * goes out would be lost for so long. */
static bool is_told_of(const struct network_ground *ground)
{
    return !ground->is_attached || (ground->shared_links.header.type != MESSAGE_INVALID &&
                                    ground->host_addresses.header.type != MESSAGE_INVALID);
}

static int apply_inner(struct network_ground *ground, struct family_state *family, const struct link_address *witnessed)
{
    const struct network_link *external = network_ground_find(ground, DEVICE_SIDE_EXTERNAL);
    struct inner_prefix prefixes[INNER_PREFIXES_MAX];
    size_t count, left_out; /* inner_guard.c says it */
    bool differs;
    int changes;

    if (family->own.table == RT_TABLE_MAIN || !is_told_of(ground))
        return 0;
    count = inner_prefixes_list(&ground->links, external ? external->index : 0, family->family, prefixes, &left_out);
    differs = take_over(family, prefixes, count, witnessed);
    changes = route_table_apply_inner(ground->rtnetlink, family->family, prefixes, count, witnessed);
    if (changes > 0 && family->own.is_settled && !differs)
        own_routes_report_repair(family->family, changes);
    changes = network_ground_report(ground, inner_step(family), changes);
    return changes < 0 ? changes : 0;
}

/* --- the way out ----------------------------------------------------------------------------------------- */

/* Takes over a new decision. Returns true when it differs from the one before. */
static bool decide(struct family_state *family, const struct network_link *external,
                   const struct gateway_choice *choice)
{
    uint32_t link_index = external && external->is_up ? external->index : 0;
    bool differs =
        !family->decisions || family->link_index != link_index || !gateway_choice_equal(&family->choice, choice);

    family->link_index = link_index;
    family->choice = *choice;
    family->decisions += differs;
    return differs;
}

/* What is inside before the way out. */
int family_routes_apply(struct network_ground *ground, struct family_state *family, const struct family_inputs *inputs,
                        const struct gateway_choice *choice)
{
    struct own_routes *own = &family->own;
    bool differs = decide(family, inputs->link, choice);
    struct route_list wanted;
    struct own_routes_wish wish = {
        .routes = &wanted,
        .rules = ROUTING_RULE_INNER,
        .has_gateway = family->link_index != 0 && choice->count > 0,
        .is_new = differs,
    };
    int result = own_routes_choose_table(own, ground->rtnetlink);

    if (result < 0) {
        own->is_settled = false;
        return result;
    }
    wish.failure = apply_inner(ground, family, &inputs->witnessed);
    route_plan_list(&(struct route_wish){own->family, own->table, inputs->link, choice, inputs->lease}, &wanted);
    return own_routes_apply(own, ground->rtnetlink, &wish);
}

int family_routes_remove(struct network_ground *ground, struct family_state *family)
{
    int result = own_routes_remove(&family->own, ground->rtnetlink);
    int inner;

    if (family->own.is_absent || family->own.table == 0 || family->own.table == RT_TABLE_MAIN)
        return result;
    inner = route_requests_remove_ours(ground->rtnetlink, family->family, INNER_ROUTE_TABLE_NUMBER);
    (void)network_ground_report(ground, inner_step(family), inner);
    return result < 0 ? result : inner;
}
