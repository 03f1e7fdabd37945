/* Do a backend's replies come back; see return_path.h. Pure, runs without any privilege. */
#include "workers/watcher/return_path.h"

#include "common/text.h"

#include <stdio.h>
#include <string.h>

static const uint8_t families[FAMILY_INDEX_MAX_] = {[FAMILY_INDEX_4] = IP_FAMILY_4, [FAMILY_INDEX_6] = IP_FAMILY_6};

static const struct docker_subnet *find_subnet(const struct docker_network *network, size_t family)
{
    for (size_t i = 0; i < network->subnet_count; i++) {
        if (network->subnets[i].subnet.address.family == families[family])
            return &network->subnets[i];
    }
    return NULL;
}

struct ip_address return_path_gateway(const struct docker_network *network, size_t family)
{
    for (size_t i = 0; i < network->subnet_count; i++) {
        if (network->subnets[i].auxiliary_gateway.family == families[family])
            return network->subnets[i].auxiliary_gateway;
    }
    return (struct ip_address){.family = IP_FAMILY_NONE};
}

static bool has_both_families(const struct return_path_attachment *attachment)
{
    return attachment->has_address[FAMILY_INDEX_4] && attachment->has_address[FAMILY_INDEX_6];
}

/* Does Docker prefer `other` to `shared` for the default route? */
static bool is_preferred(const struct return_path_attachment *other, const struct return_path_attachment *shared)
{
    if (other->gateway_priority != shared->gateway_priority)
        return other->gateway_priority > shared->gateway_priority;
    if (has_both_families(other) != has_both_families(shared))
        return has_both_families(other);
    return strcmp(other->network->name, shared->network->name) < 0;
}

const struct return_path_attachment *return_path_find_default(const struct return_path_attachment *attachments,
                                                              size_t count, size_t family)
{
    const struct return_path_attachment *best = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct return_path_attachment *other = &attachments[i];

        if (!other->network->is_internal && other->has_address[family] && (!best || is_preferred(other, best)))
            best = other;
    }
    return best;
}

enum return_path_fault return_path_check(const struct return_path *path, size_t family,
                                         const struct docker_network **ret_other)
{
    const struct docker_network *shared = path->attachments[path->shared].network;
    const struct return_path_attachment *best;

    *ret_other = NULL;
    /* Auxiliary gateways are a feature of Docker's bridge driver; of others we know nothing. */
    if (!path->attachments[path->shared].has_address[family] || strcmp(shared->driver, "bridge") != 0)
        return RETURN_PATH_FINE;
    if (shared->is_internal)
        return RETURN_PATH_INTERNAL;
    if (return_path_gateway(shared, family).family == IP_FAMILY_NONE)
        return RETURN_PATH_NO_GATEWAY;
    if (!path->may_be_claimed[family])
        return RETURN_PATH_FOREIGN_GATEWAY;
    best = return_path_find_default(path->attachments, path->count, family);
    if (!best || best == &path->attachments[path->shared])
        return RETURN_PATH_FINE;
    *ret_other = best->network;
    return RETURN_PATH_OTHER_ROUTE;
}

enum return_path_fault return_path_check_anchor(enum docker_health health)
{
    if (health == DOCKER_HEALTH_STARTING)
        return RETURN_PATH_ANCHOR_STARTING;
    return health == DOCKER_HEALTH_UNHEALTHY ? RETURN_PATH_ANCHOR_UNHEALTHY : RETURN_PATH_FINE;
}

const char *return_path_message(enum return_path_fault fault)
{
    switch (fault) {
    case RETURN_PATH_OTHER_ROUTE:
        return "replies do not come back: another network gives the container its default route";
    case RETURN_PATH_INTERNAL:
        return "replies do not come back: transit is internal and the container has no service-anchor";
    case RETURN_PATH_NO_GATEWAY:
        return "replies do not come back: transit names no gateway and the container has no service-anchor";
    case RETURN_PATH_FOREIGN_GATEWAY:
        return "replies do not come back: this anchor does not hold the gateway that transit names";
    case RETURN_PATH_ANCHOR_STARTING:
        return "replies do not come back yet: the container's service-anchor is still starting";
    case RETURN_PATH_ANCHOR_UNHEALTHY:
        return "replies do not come back: the container's service-anchor is unhealthy";
    case RETURN_PATH_FINE:
    default:
        return "replies come back through the anchor";
    }
}

/* The second host of a subnet, or the third when the gateway is the second. */
static struct ip_address propose_gateway(const struct docker_subnet *subnet)
{
    struct ip_address address = ip_subnet_first(&subnet->subnet);
    size_t last = ip_family_length(address.family) - 1;

    address.bytes[last] = (uint8_t)(address.bytes[last] + 2);
    if (ip_address_equal(&address, &subnet->gateway))
        address.bytes[last]++;
    return address;
}

/* How the shared network comes to name a gateway. Podman takes no auxiliary addresses (docs/engines.md). */
static void format_gateway_setting(const struct docker_network *shared, size_t family,
                                   const struct docker_version *engine, char *text, size_t size)
{
    const struct docker_subnet *subnet = find_subnet(shared, family);
    struct ip_address address = subnet ? propose_gateway(subnet) : (struct ip_address){.family = IP_FAMILY_NONE};
    int version = family == FAMILY_INDEX_4 ? 4 : 6;
    char address_text[IP_ADDRESS_TEXT_SIZE] = "…";

    if (address.family)
        (void)ip_address_format(&address, address_text);
    if (engine->is_podman)
        (void)snprintf(text, size,
                       "by `podman network create` with `--opt no_default_route=1 --route %s,%s --label "
                       "anchord.gateway.v%d=%s`",
                       family == FAMILY_INDEX_4 ? "0.0.0.0/0" : "::/0", address_text, version, address_text);
    else
        (void)snprintf(text, size, "with `aux_addresses: {DefaultGatewayIPv%d: \"%s\"}` in its ipam.config", version,
                       address_text);
}

static void write_other_route(const struct docker_network *shared, const char *other,
                              const struct docker_version *engine, char text[RETURN_PATH_REMEDY_SIZE])
{
    /* Netavark gives the routes of both networks the same metric, and numbers interfaces in any order. */
    if (engine->is_podman)
        (void)snprintf(text, RETURN_PATH_REMEDY_SIZE,
                       "set `internal: true` on the network %s (Podman knows no order of default routes)", other);
    else if (engine->api >= API_WITH_GATEWAY_PRIORITY)
        (void)snprintf(text, RETURN_PATH_REMEDY_SIZE,
                       "set `gw_priority: 1` on the service's network %s, or `internal: true` on the network %s",
                       shared->name, other);
    else
        (void)snprintf(text, RETURN_PATH_REMEDY_SIZE,
                       "name the network %s so that it comes first in the alphabet, or set `internal: true` on "
                       "the network %s (this engine has no gw_priority)",
                       shared->name, other);
}

const char *return_path_remedy(enum return_path_fault fault, size_t family, const struct docker_network *shared,
                               const char *other, const struct docker_version *engine,
                               char text[RETURN_PATH_REMEDY_SIZE])
{
    char gateway[200];

    text[0] = '\0';
    format_gateway_setting(shared, family, engine, gateway, sizeof(gateway));
    switch (fault) {
    case RETURN_PATH_OTHER_ROUTE:
        write_other_route(shared, other, engine, text);
        break;
    case RETURN_PATH_INTERNAL:
        (void)snprintf(text, RETURN_PATH_REMEDY_SIZE,
                       "recreate the network %s without `internal: true`,%s %s, or give the container a service-anchor "
                       "of this scope",
                       shared->name,
                       engine->is_podman
                           ? ""
                           : " with `driver_opts: {com.docker.network.bridge.enable_ip_masquerade: \"false\"}` and",
                       gateway);
        break;
    case RETURN_PATH_NO_GATEWAY:
        (void)snprintf(text, RETURN_PATH_REMEDY_SIZE,
                       "recreate the network %s %s, or give the container a service-anchor of this scope", shared->name,
                       gateway);
        break;
    case RETURN_PATH_FOREIGN_GATEWAY:
        (void)snprintf(
            text, RETURN_PATH_REMEDY_SIZE,
            "one transit network per network-anchor: give this project a network of its own in place of %s, or "
            "remove `ANCHORD_CLAIM_GATEWAY: off`",
            shared->name);
        break;
    case RETURN_PATH_ANCHOR_STARTING:
    case RETURN_PATH_ANCHOR_UNHEALTHY:
        (void)snprintf(text, RETURN_PATH_REMEDY_SIZE,
                       "see the log of the service-anchor %s: it finds no gateway when it and this anchor share no "
                       "network, or ANCHORD_GATEWAY_IP or ANCHORD_GATEWAY_HOSTNAME is wrong",
                       other);
        break;
    case RETURN_PATH_FINE:
    default:
        break;
    }
    return text;
}

enum problem return_path_problem(enum return_path_fault fault)
{
    static const enum problem problems[] = {
        [RETURN_PATH_FINE] = PROBLEM_NONE,
        [RETURN_PATH_OTHER_ROUTE] = PROBLEM_OTHER_WAY_BACK,
        [RETURN_PATH_INTERNAL] = PROBLEM_INTERNAL_NETWORK,
        [RETURN_PATH_NO_GATEWAY] = PROBLEM_NO_WAY_BACK,
        [RETURN_PATH_FOREIGN_GATEWAY] = PROBLEM_FOREIGN_WAY_BACK,
        [RETURN_PATH_ANCHOR_STARTING] = PROBLEM_SERVICE_ANCHOR_STARTING,
        [RETURN_PATH_ANCHOR_UNHEALTHY] = PROBLEM_SERVICE_ANCHOR_UNHEALTHY,
    };

    return problems[fault];
}
