/*
 * The network half in a service-anchor; see network.h. Runs in anchord-netadmin with CAP_NET_ADMIN, in the namespace of
 * an application: nothing is touched there but table 24942 and the two rules that lead into it, or without policy
 * routing two routes of ours in main (SA-2).
 *
 * A family whose gateway was never known is left as Docker made it. From its first gateway on, table and rules stay
 * until STOP: without a usable gateway nothing of it leaves.
 */
#include "common/log.h"
#include "workers/netadmin/network_internal.h"

static void report_several(struct family_state *family, size_t on_link)
{
    if (on_link > 1 && !family->reported_several)
        log_warn("the gateway's name has several addresses on link, using one",
                 LOG_TEXT("family", ip_family_to_string(family->family)), LOG_NUMBER("addresses", on_link));
    family->reported_several = on_link > 1;
}

static int apply_family(struct network *network, struct family_state *family)
{
    const struct ip_address *current = &family->choice.gateways[0].address;
    struct gateway_answer answer;

    if (family->own.is_absent || family->answers.count == 0)
        return 0;
    answer =
        gateway_choose_answer(&family->answers, family->pin.family != IP_FAMILY_NONE, &network->ground.links, current);
    report_several(family, answer.on_link);
    return family_routes_apply(&network->ground, family, &(struct family_inputs){.link = answer.link}, &answer.choice);
}

int network_apply_service(struct network *network)
{
    int first = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        int result = apply_family(network, &network->families[i]);

        keep_first(&first, result);
    }
    return first;
}

static void take_answers(struct family_state *family, const struct wire_lookup *lookup)
{
    if (lookup->count == 0)
        return;
    family->answers = (struct gateway_answers){.count = lookup->count};
    for (uint32_t i = 0; i < lookup->count; i++)
        family->answers.addresses[i] = wire_address_to(&lookup->addresses[i]);
}

int network_set_gateways(struct network *network, const struct message_gateways *gateways)
{
    take_answers(&network->families[FAMILY_INDEX_4], &gateways->v4);
    take_answers(&network->families[FAMILY_INDEX_6], &gateways->v6);
    return network_refresh(network);
}

int network_use_pinned_gateways(struct network *network)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        struct family_state *family = &network->families[i];

        if (family->pin.family != IP_FAMILY_NONE)
            family->answers = (struct gateway_answers){.count = 1, .addresses = {family->pin}};
    }
    return network_refresh(network);
}

bool network_has_route(const struct network *network)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const struct family_state *family = &network->families[i];

        if (family->own.is_settled && family->link_index && family->choice.count > 0)
            return true;
    }
    return false;
}

bool network_has_links(const struct network *network)
{
    for (size_t i = 0; i < network->ground.links.count; i++) {
        if (network->ground.links.links[i].is_up || network->ground.links.links[i].address_count > 0)
            return true;
    }
    return false;
}
