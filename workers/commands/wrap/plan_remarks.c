/* What is worth knowing beside what is done; see plan.h. Runs in anchord-wrap, pure. */
#include "common/cleanup.h"
#include "workers/commands/wrap/plan_internal.h"

#include <stdio.h>
#include <string.h>

/* --- networks of which Docker may have made something else than a bridge ------------------------------------- */

enum place { PLACE_BRIDGE, PLACE_ON_LAN, PLACE_UNKNOWN };

/* Compose prints no driver for external networks; one of a plugin may do anything. */
static enum place place_of(const struct plan *plan, const struct project_network *network)
{
    const char *driver = network->driver;

    if (strcmp(driver, "macvlan") == 0 || strcmp(driver, "ipvlan") == 0)
        return PLACE_ON_LAN;
    if (network->is_internal || network->has_gateway)
        return PLACE_BRIDGE;
    for (size_t i = 0; i < plan->options->bridge_count; i++) {
        if (strcmp(plan->options->bridges[i], network->key) == 0 ||
            strcmp(plan->options->bridges[i], network->name) == 0)
            return PLACE_BRIDGE;
    }
    if (driver[0] == '\0')
        return network->is_external ? PLACE_UNKNOWN : PLACE_BRIDGE;
    return strcmp(driver, "bridge") == 0 || strcmp(driver, "overlay") == 0 ? PLACE_BRIDGE : PLACE_UNKNOWN;
}

const struct project_network *plan_network_on_lan(const struct plan *plan, const struct project_service *service)
{
    for (const struct project_attachment *each = service->attachments; each; each = each->next) {
        if (!each->network->is_internal && place_of(plan, each->network) != PLACE_BRIDGE)
            return each->network;
    }
    return NULL;
}

static int remark_on_lan(struct plan *plan, const struct planned_service *planned,
                         const struct project_network *network)
{
    return PLAN_PROBLEM(
        plan, planned->service, "keeps an address of its own on the LAN, past anchord, on the %s network %s%s",
        network->driver, network->key,
        planned->must_join ? ": other subnets reach it there no more, since its way out is transit"
        : plan_is_on(planned->service, plan->names.transit) ? ""
                                                            : ": it stays off transit and leaves there, as before");
}

static int remark_unknown(struct plan *plan, const struct planned_service *planned,
                          const struct project_network *network)
{
    if (planned->must_join)
        return PLAN_PROBLEM(plan, planned->service,
                            "is on the network %s, whose driver does not stand in the project. If it is macvlan or "
                            "ipvlan, other subnets no longer reach the service's address there, since its way out is "
                            "transit now; if it is internal, the service's ports were closed and are open now. "
                            "--bridge %s says that it is neither",
                            network->key, network->key);
    if (plan->options->ports_only || plan_is_on(planned->service, plan->names.transit))
        return 0;
    return PLAN_PROBLEM(plan, planned->service,
                        "stays off transit and leaves as before: the driver of its network %s does not stand in the "
                        "project, and if it is macvlan or ipvlan, other subnets would no longer reach the service's "
                        "address there. --bridge %s says that it is a bridge; then the service joins",
                        network->key, network->key);
}

static int remark_networks(struct plan *plan, const struct planned_service *planned)
{
    int result = 0;

    for (const struct project_attachment *each = planned->service->attachments; each && result == 0;
         each = each->next) {
        enum place place = place_of(plan, each->network);

        if (place == PLACE_ON_LAN)
            result = remark_on_lan(plan, planned, each->network);
        else if (place == PLACE_UNKNOWN)
            result = remark_unknown(plan, planned, each->network);
    }
    return result;
}

/* Engine 29 makes no gateway up for a macvlan or ipvlan network any more. */
static int remark_gateways(struct plan *plan)
{
    int result = 0;

    for (const struct project_network *network = plan->project->networks; network && result == 0;
         network = network->next) {
        if (place_of(plan, network) == PLACE_ON_LAN && network->lacks_gateway && !network->is_internal)
            result = PLAN_PROBLEM(plan, NULL,
                                  "the %s network %s has a subnet without gateway: from Engine 29 on its containers "
                                  "have no way out, and the first one gets the first address, which is mostly the "
                                  "router's. Add `gateway:` with the router's address beside the subnet",
                                  network->driver, network->key);
    }
    return result;
}

/* --- one service ------------------------------------------------------------------------------------------- */

/* The host's own addresses are reached by the host's bridges alone; behind a macvlan there is no host. */
static int remark_host(struct plan *plan, const struct planned_service *planned)
{
    if (!planned->must_join)
        return 0;
    for (size_t i = 0; i < plan->service_count; i++) {
        const struct planned_service *guest = &plan->services[i];

        if (guest->owner == planned && guest->service->host_gateway &&
            PLAN_PROBLEM(plan, guest->service,
                         "%s (extra_hosts: host-gateway) answers it no more: from transit neither the Docker host nor "
                         "what other projects publish on it is reached. What it needs there has to come to a network "
                         "that both are on",
                         guest->service->host_gateway) < 0)
            return -ENOMEM;
    }
    return 0;
}

int plan_remark_service(struct plan *plan, const struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    int result = remark_networks(plan, planned);

    if (result == 0)
        result = remark_host(plan, planned);
    if (result == 0 && planned->exposure_count > 0 && service->replicas > 1)
        result =
            PLAN_PROBLEM(plan, service, "runs %lld times: the oldest container has the ports, the others wait for them",
                         (long long)service->replicas);
    if (result == 0 && service->is_privileged && planned->must_join)
        result = PLAN_NOTE(plan, service, "is privileged, so it can change its way out");
    return result;
}

/* --- the project ------------------------------------------------------------------------------------------- */

/* Pairs that are named; of the rest there is only the number. */
#define PAIRS_NAMED_MAX 8

static bool shares_network(const struct project_service *first, const struct project_service *second)
{
    if (plan_is_default_bridge(first) && plan_is_default_bridge(second))
        return true;
    for (const struct project_attachment *each = first->attachments; each; each = each->next) {
        if (plan_is_on(second, each->network->key))
            return true;
    }
    return false;
}

/* There is one transit, since there is one gateway address (GW-1): who was kept apart by networks meets there. */
static int remark_isolation(struct plan *plan)
{
    CLEANUP_FREE char *pairs = NULL;
    size_t length = 0;
    size_t count = 0;
    FILE *stream = open_memstream(&pairs, &length);

    if (!stream)
        return -ENOMEM;
    for (size_t i = 0; i < plan->service_count; i++) {
        for (size_t j = i + 1; j < plan->service_count && plan->services[i].must_join; j++) {
            if (!plan->services[j].must_join || shares_network(plan->services[i].service, plan->services[j].service))
                continue;
            if (count++ < PAIRS_NAMED_MAX)
                (void)fprintf(stream, "%s%s and %s", count > 1 ? ", " : "", plan->services[i].service->name,
                              plan->services[j].service->name);
        }
    }
    if (count > PAIRS_NAMED_MAX)
        (void)fprintf(stream, ", and %zu more", count - PAIRS_NAMED_MAX);
    if (fclose(stream) != 0)
        return -ENOMEM;
    return count == 0 ? 0
                      : PLAN_NOTE(plan, NULL, "shared no network, and reach each other over transit now%s: %s",
                                  plan->options->ports_only ? "" : " (--ports-only lets fewer join)", pairs);
}

/* One remark about all services of which `applies` is true. */
static int remark_on_several(struct plan *plan,
                             bool (*applies)(const struct plan *plan, const struct planned_service *planned),
                             const char *text)
{
    CLEANUP_FREE char *names = NULL;
    size_t length = 0;
    size_t count = 0;
    FILE *stream = open_memstream(&names, &length);

    if (!stream)
        return -ENOMEM;
    for (size_t i = 0; i < plan->service_count; i++) {
        if (applies(plan, &plan->services[i]))
            (void)fprintf(stream, "%s%s", count++ > 0 ? ", " : "", plan->services[i].service->name);
    }
    if (fclose(stream) != 0)
        return -ENOMEM;
    return count > 0 ? PLAN_NOTE(plan, NULL, "%s: %s", text, names) : 0;
}

static bool stays_out(const struct plan *plan, const struct planned_service *planned)
{
    const struct project_service *service = planned->service;

    return planned->owner == planned && !planned->must_join && !plan_is_on(service, plan->names.transit) &&
           !service->is_network_anchor && service->replicas > 0 && plan_has_way_out(service) &&
           !plan_network_on_lan(plan, service);
}

static bool joins_without_ports(const struct plan *plan, const struct planned_service *planned)
{
    (void)plan;
    return planned->must_join && planned->exposure_count == 0 && !planned->service->expose_label;
}

static bool is_inside_only(const struct plan *plan, const struct planned_service *planned)
{
    const struct project_service *service = planned->service;

    (void)plan;
    return service->has_expose && service->port_count == 0 && !planned->is_refused && !planned->label &&
           !service->expose_label;
}

int plan_remark_project(struct plan *plan)
{
    int result = 0;

    if (!plan->is_wrapped && !plan->options->use_dhcp && !plan->options->addresses[OPTIONS_IPV4].family &&
        !plan->options->addresses[OPTIONS_IPV6].family)
        result = PLAN_NOTE(plan, NULL,
                           "no --address: Docker chooses one of the network %s, which nobody else on the LAN "
                           "may have",
                           plan->options->lan);
    if (result == 0)
        result = remark_on_several(plan, joins_without_ports,
                                   "these have no ports:, but join transit, so that what they send out leaves with "
                                   "the project's address (--ports-only leaves them out)");
    if (result == 0)
        result = remark_on_several(plan, stays_out,
                                   "what these send out leaves with the host's address, since they stay off transit");
    if (result == 0)
        result = remark_on_several(plan, is_inside_only, "expose: opens nothing to the LAN, these stay inside");
    if (result == 0)
        result = remark_isolation(plan);
    return result == 0 ? remark_gateways(plan) : result;
}
