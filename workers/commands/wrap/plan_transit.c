/* Names, subnets and gateways of what is added; see plan.h. Runs in anchord-wrap, pure. */
#include "common/cleanup.h"
#include "workers/commands/wrap/plan_internal.h"

#include <string.h>

/* Of subnets, before giving up: each is another hash of the project's name. */
#define ATTEMPTS_MAX 256

static bool is_service(const struct project *project, const char *name)
{
    return project_find_service(project, name) != NULL;
}

static bool is_network(const struct project *project, const char *name)
{
    return project_find_network(project, name) != NULL;
}

/* The usual name, or anchord-NAME when the project has given that to something of its own. */
static int choose_name(struct plan *plan, const char *usual, bool (*is_taken)(const struct project *, const char *),
                       const char **ret)
{
    const char *name = usual;

    if (is_taken(plan->project, usual)) {
        name = arena_format(plan->arena, "anchord-%s", usual);
        if (!name)
            return -ENOMEM;
        if (is_taken(plan->project, name)) {
            int result = PLAN_PROBLEM(plan, NULL, "the names %s and %s are taken; rename one of them", usual, name);

            return result < 0 ? result : -EINVAL;
        }
        if (PLAN_NOTE(plan, NULL, "the project has a %s of its own; anchord's is called %s", usual, name) < 0)
            return -ENOMEM;
    }
    *ret = name;
    return 0;
}

static int choose_names(struct plan *plan)
{
    const struct {
        const char *usual;
        bool (*is_taken)(const struct project *project, const char *name);
        const char **name;
    } choices[] = {
        {"network-anchor", is_service, &plan->names.network_anchor},
        {"lan", is_network, &plan->names.lan},
        {"transit", is_network, &plan->names.transit},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(choices); i++) {
        int result = choose_name(plan, choices[i].usual, choices[i].is_taken, choices[i].name);

        if (result < 0)
            return result;
    }
    return 0;
}

/* FNV-1a, 64 bits (draft-eastlake-fnv §4). */
static uint64_t hash(const char *text, unsigned int attempt)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325) + attempt;

    for (; *text; text++)
        value = (value ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return value ^ value >> 32;
}

/* 10.64.0.0 … 10.191.255.0, /24: private (RFC 1918), outside of Docker's own pool. fd…: unique local (RFC 4193). */
static struct ip_subnet subnet_from_hash(size_t family, uint64_t value)
{
    uint8_t bytes[16] = {0};

    if (family == OPTIONS_IPV4) {
        bytes[0] = 10;
        bytes[1] = (uint8_t)(64 + value % 128);
        bytes[2] = (uint8_t)(value >> 8);
        return (struct ip_subnet){ip_address_from_bytes(IP_FAMILY_4, bytes), 24};
    }
    bytes[0] = 0xfd;
    for (size_t i = 1; i <= 5; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return (struct ip_subnet){ip_address_from_bytes(IP_FAMILY_6, bytes), 64};
}

/* The network of the project whose subnet this one overlaps, or NULL. */
static const struct project_network *overlapping(const struct plan *plan, const struct ip_subnet *subnet)
{
    for (const struct project_network *network = plan->project->networks; network; network = network->next) {
        for (size_t i = 0; i < network->subnet_count; i++) {
            if (ip_subnet_overlaps(&network->subnets[i], subnet))
                return network;
        }
    }
    return NULL;
}

static int choose_subnet(struct plan *plan, size_t family)
{
    const struct project_network *network;

    plan->subnets[family] = plan->options->subnets[family];
    if (plan->subnets[family].address.family) {
        char text[IP_SUBNET_TEXT_SIZE];

        network = overlapping(plan, &plan->subnets[family]);
        if (!network)
            return 0;
        if (PLAN_PROBLEM(plan, NULL, "--subnet %s overlaps the project's network %s",
                         ip_subnet_format(&plan->subnets[family], text), network->key) < 0)
            return -ENOMEM;
        return -EINVAL;
    }
    for (unsigned int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        plan->subnets[family] = subnet_from_hash(family, hash(plan->project->name, attempt));
        if (!overlapping(plan, &plan->subnets[family]) &&
            !ip_subnet_contains(&plan->subnets[family], &plan->options->addresses[family]))
            return 0;
    }
    if (PLAN_PROBLEM(plan, NULL, "every subnet that was tried overlaps one of the project's: choose with --subnet") < 0)
        return -ENOMEM;
    return -EINVAL;
}

/* The bridge takes the first address of a subnet, the network-anchor the second, as in compose/example.yaml. */
static struct ip_address address_in(const struct ip_subnet *subnet, uint8_t number)
{
    struct ip_address address = ip_subnet_first(subnet);

    address.bytes[ip_family_length(address.family) - 1] += number;
    return address;
}

/* A project that has a network-anchor: its names are there, and it needs its transit network. */
static int adopt_names(struct plan *plan)
{
    for (const struct project_service *service = plan->project->services; service; service = service->next) {
        if (!service->is_network_anchor)
            continue;
        plan->names.network_anchor = service->name;
        for (const struct project_attachment *each = service->attachments; each; each = each->next) {
            if (each->network->has_gateway)
                plan->names.transit = each->network->key;
        }
    }
    if (plan->names.transit)
        return 0;
    if (PLAN_PROBLEM(plan, NULL,
                     "the project has a network-anchor (%s), but that is on no network with an auxiliary "
                     "address DefaultGatewayIPv4: only the pattern Direct can be made here",
                     plan->names.network_anchor) < 0)
        return -ENOMEM;
    return -EINVAL;
}

static bool is_named(const struct wrap_options *options, size_t family)
{
    return options->addresses[family].family || options->subnets[family].address.family;
}

/* The first network of the project that has IPv6, or NULL. */
static const struct project_network *network_with_ipv6(const struct plan *plan)
{
    for (const struct project_network *network = plan->project->networks; network; network = network->next) {
        if (network->has_ipv6)
            return network;
        for (size_t i = 0; i < network->subnet_count; i++) {
            if (network->subnets[i].address.family == IP_FAMILY_6)
                return network;
        }
    }
    return NULL;
}

/*
 * Options that name IPv4 and no IPv6 make a project of IPv4 alone, without a leftover of IPv6 that a host without it
 * would stumble over. Unless a network of the project has it: then what leaves by that would have the host's address.
 */
static int choose_families(struct plan *plan)
{
    const struct project_network *network = network_with_ipv6(plan);

    plan->has_ipv6 = is_named(plan->options, OPTIONS_IPV6) || !is_named(plan->options, OPTIONS_IPV4) || network;
    if (plan->is_wrapped || is_named(plan->options, OPTIONS_IPV6) || !is_named(plan->options, OPTIONS_IPV4))
        return 0;
    if (network)
        return PLAN_NOTE(plan, NULL,
                         "transit has IPv6, though the options name none, since the network %s has it: what leaves by "
                         "IPv6 would have the host's address otherwise",
                         network->key);
    return PLAN_NOTE(plan, NULL, "IPv4 alone, since the options name no IPv6: an address or a subnet of it adds it");
}

int plan_transit(struct plan *plan)
{
    int result = plan->is_wrapped ? adopt_names(plan) : choose_names(plan);

    if (result == 0)
        result = choose_families(plan);
    for (size_t family = 0; family < OPTIONS_FAMILIES && result == 0 && !plan->is_wrapped; family++) {
        if (family == OPTIONS_IPV6 && !plan->has_ipv6)
            continue;
        result = choose_subnet(plan, family);
        plan->bridges[family] = address_in(&plan->subnets[family], 1);
        plan->gateways[family] = address_in(&plan->subnets[family], 2);
    }
    return result;
}
