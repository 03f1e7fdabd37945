/* The choice of the external gateway; see gateway_choice.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/gateway_choice.h"

#include <linux/icmpv6.h>

static struct gateway_choice choose_one(enum gateway_source source, const struct ip_address *gateway,
                                        const struct network_link *link)
{
    struct gateway_choice choice = {.source = source};

    if (network_link_reaches(link, gateway)) {
        choice.gateways[0].address = *gateway;
        choice.count = 1;
    }
    return choice;
}

static struct gateway_choice choose_ipam(const struct gateway_inputs *inputs)
{
    struct gateway_choice choice = {.source = GATEWAY_SOURCE_NONE};

    for (uint32_t i = 0; i < inputs->external->subnet_count && choice.count == 0; i++) {
        struct ip_address gateway = wire_address_to(&inputs->external->subnets[i].gateway);

        if (gateway.family != inputs->family)
            continue;
        choice = choose_one(GATEWAY_SOURCE_IPAM, &gateway, inputs->link);
    }
    return choice;
}

/* RFC 4191 §2.1: high is 01, medium 00, low 11; 10 is reserved and means medium. */
static int preference_rank(uint8_t preference)
{
    return preference == ICMPV6_ROUTER_PREF_HIGH ? 0 : preference == ICMPV6_ROUTER_PREF_LOW ? 2 : 1;
}

static bool is_better(const struct gateway *a, const struct gateway *b)
{
    int difference = preference_rank(a->preference) - preference_rank(b->preference);

    if (a->is_silent != b->is_silent)
        return b->is_silent;
    return difference ? difference < 0 : ip_address_compare(&a->address, &b->address) < 0;
}

/* Keeps the best ROUTERS_MAX, in order. */
static void insert_router(struct gateway_choice *choice, const struct gateway *router)
{
    size_t position = choice->count;

    while (position > 0 && is_better(router, &choice->gateways[position - 1]))
        position--;
    if (position == ROUTERS_MAX)
        return;
    if (choice->count < ROUTERS_MAX)
        choice->count++;
    for (size_t i = choice->count - 1; i > position; i--)
        choice->gateways[i] = choice->gateways[i - 1];
    choice->gateways[position] = *router;
}

static struct gateway_choice choose_advertised(const struct gateway_inputs *inputs)
{
    struct gateway_choice choice = {.source = GATEWAY_SOURCE_ADVERTISEMENT};

    for (size_t i = 0; i < inputs->router_count; i++)
        insert_router(&choice, &inputs->routers[i]);
    return choice;
}

/* As long as the leased address is there, or nothing of its routes leads anywhere. */
static struct gateway_choice choose_leased(const struct gateway_inputs *inputs)
{
    const struct lease *lease = inputs->lease;
    struct gateway_choice choice = {.source = GATEWAY_SOURCE_NONE};

    if (!lease || lease->gateway.family != inputs->family || !network_link_find(inputs->link, &lease->address))
        return choice;
    choice = choose_one(GATEWAY_SOURCE_LEASE, &lease->gateway, inputs->link);
    if (choice.count > 0 || !lease_has_on_link(lease, &lease->gateway))
        return choice;
    choice.is_beyond_subnets = true;
    choice.gateways[0].address = lease->gateway;
    choice.count = 1;
    return choice;
}

static struct gateway_choice choose_configured(const struct gateway_inputs *inputs)
{
    struct gateway_choice choice;

    if (inputs->prefers_advertised && inputs->router_count > 0)
        return choose_advertised(inputs);
    choice = choose_ipam(inputs);
    return choice.count == 0 && inputs->router_count > 0 ? choose_advertised(inputs) : choice;
}

struct gateway_choice gateway_choose(const struct gateway_inputs *inputs)
{
    struct gateway_choice choice = choose_leased(inputs);

    if (choice.count > 0)
        return choice;
    if (inputs->pin.family == inputs->family)
        return choose_one(GATEWAY_SOURCE_PIN, &inputs->pin, inputs->link);
    return choose_configured(inputs);
}

bool gateway_choice_equal(const struct gateway_choice *a, const struct gateway_choice *b)
{
    if (a->source != b->source || a->count != b->count || a->is_beyond_subnets != b->is_beyond_subnets)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!ip_address_equal(&a->gateways[i].address, &b->gateways[i].address) ||
            a->gateways[i].preference != b->gateways[i].preference)
            return false;
    }
    return true;
}
