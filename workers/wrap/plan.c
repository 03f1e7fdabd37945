/* What will be done with each service; see plan.h. Runs in anchord-wrap, pure. */
#include "workers/wrap/plan.h"

#include "common/cleanup.h"
#include "workers/wrap/plan_internal.h"
#include "workers/wrap/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int plan_report(struct plan *plan, bool is_problem, const struct project_service *service, const char *format, ...)
{
    struct plan_finding *finding = arena_allocate(plan->arena, 1, sizeof(*finding));
    CLEANUP_FREE char *text = NULL;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text = NULL;
        return -ENOMEM;
    }
    for (char *character = text; *character; character++)
        *character = yaml_printable(*character);
    if (finding)
        finding->text = arena_copy(plan->arena, text, (size_t)length);
    if (!finding || !finding->text)
        return -ENOMEM;
    finding->is_problem = is_problem;
    finding->service = service ? service->name : NULL;
    *plan->findings_end = finding;
    plan->findings_end = &finding->next;
    plan->problem_count += is_problem;
    return 0;
}

/* --- whose network namespace a service uses --------------------------------------------------------------- */

static struct planned_service *find_by_container(struct plan *plan, const char *container)
{
    for (size_t i = 0; i < plan->service_count; i++) {
        if (strcmp(plan->services[i].service->container_name, container) == 0 && container[0])
            return &plan->services[i];
    }
    return NULL;
}

static struct planned_service *find_by_name(struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->service_count; i++) {
        if (strcmp(plan->services[i].service->name, name) == 0)
            return &plan->services[i];
    }
    return NULL;
}

static struct planned_service *find_owner(struct plan *plan, struct planned_service *planned)
{
    for (size_t step = 0; planned && step < plan->service_count; step++) {
        const char *mode = planned->service->network_mode;

        if (strncmp(mode, "service:", strlen("service:")) == 0)
            planned = find_by_name(plan, mode + strlen("service:"));
        else if (strncmp(mode, "container:", strlen("container:")) == 0)
            planned = find_by_container(plan, mode + strlen("container:"));
        else
            return planned;
    }
    return NULL;
}

static bool is_default_bridge(const struct project_service *service)
{
    return strcmp(service->network_mode, "bridge") == 0 || strcmp(service->network_mode, "default") == 0;
}

/* Reports what stands against this service's namespace; then it stays as it is. 0 or -ENOMEM. */
static int check_namespace(struct plan *plan, struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    const char *mode;

    planned->is_refused = true;
    if (!planned->owner)
        return PLAN_PROBLEM(plan, service,
                            "is in a network namespace that is not of this project (network_mode: %s): "
                            "it stays there, label the container that owns it",
                            service->network_mode);
    mode = planned->owner->service->network_mode;
    if (strcmp(mode, "host") == 0 && planned->owner == planned)
        return PLAN_PROBLEM(plan, service,
                            "uses the host's network (network_mode: host): it stays there, with the "
                            "host's addresses; give it networks and ports: instead, if it can do with them");
    if (strcmp(mode, "host") == 0)
        return PLAN_PROBLEM(plan, service, "is in the network namespace of %s, which uses the host's network",
                            planned->owner->service->name);
    if (strcmp(mode, "none") == 0)
        return service->port_count == 0
                   ? 0
                   : PLAN_PROBLEM(plan, service, "has ports:, but no network (network_mode: none)");
    if (mode[0] != '\0' && !is_default_bridge(planned->owner->service))
        return PLAN_PROBLEM(plan, service, "network_mode: %s is not known here; it stays as it is", mode);
    planned->is_refused = false;
    return 0;
}

/* --- the way out ------------------------------------------------------------------------------------------ */

static bool has_way_out(const struct project_service *service)
{
    for (const struct project_attachment *each = service->attachments; each; each = each->next) {
        if (!each->network->is_internal && !each->network->has_gateway)
            return true;
    }
    return is_default_bridge(service);
}

static bool is_on(const struct project_service *service, const char *network)
{
    for (const struct project_attachment *each = service->attachments; each; each = each->next) {
        if (strcmp(each->network->key, network) == 0)
            return true;
    }
    return false;
}

/*
 * DISC-8: Docker takes the default route from the network with the highest gw_priority (Engine 28), among equals from
 * the first by name. Ours is named so that it comes first; where that is not enough it gets a priority.
 */
static int plan_priority(struct plan *plan, struct planned_service *planned)
{
    const struct project_network *rival = NULL;
    const char *transit = plan->is_wrapped ? project_find_network(plan->project, plan->names.transit)->name
                                           : arena_format(plan->arena, "%s" TRANSIT_SUFFIX, plan->project->name);

    if (!transit)
        return -ENOMEM;
    for (const struct project_attachment *each = planned->service->attachments; each; each = each->next) {
        bool wins =
            each->gateway_priority > 0 || (each->gateway_priority == 0 && strcmp(each->network->name, transit) < 0);

        if (each->network->is_internal || !wins || each->gateway_priority == INT32_MAX ||
            each->gateway_priority < planned->gateway_priority)
            continue;
        planned->gateway_priority = each->gateway_priority + 1;
        rival = each->network;
    }
    if (!rival)
        return 0;
    return PLAN_NOTE(plan, planned->service,
                     "gw_priority keeps the network %s from being its way out: needs Compose 2.33 "
                     "and Engine 28, with older ones its replies would leave there",
                     rival->key);
}

/* --- what else is worth knowing --------------------------------------------------------------------------- */

static int remark_surroundings(struct plan *plan, const struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    int result = 0;

    for (const struct project_attachment *each = service->attachments; each && result == 0; each = each->next) {
        if (strcmp(each->network->driver, "macvlan") == 0 || strcmp(each->network->driver, "ipvlan") == 0)
            result = PLAN_PROBLEM(plan, service,
                                  "keeps an address of its own on the LAN, past anchord, on the %s network %s",
                                  each->network->driver, each->network->key);
    }
    if (result == 0 && planned->exposure_count > 0 && service->replicas > 1)
        result =
            PLAN_PROBLEM(plan, service, "runs %lld times: the oldest container has the ports, the others wait for them",
                         (long long)service->replicas);
    if (result == 0 && service->is_privileged && planned->must_join)
        result = PLAN_NOTE(plan, service, "is privileged, so it can change its way out");
    return result;
}

/*
 * SPEC 0: what the project sends out leaves with its one address, so whatever can reach the outside today goes through
 * the anchor. Not if that only took ports away, since not one of them can be exposed.
 */
static bool wants_transit(const struct plan *plan, const struct planned_service *planned)
{
    if (planned->exposure_count > 0 || planned->service->expose_label)
        return true;
    return !plan->options->ports_only && !planned->must_remove_ports && has_way_out(planned->service);
}

static int plan_owner(struct plan *plan, struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    int result;

    if (wants_transit(plan, planned))
        planned->must_join = !plan->is_wrapped || !is_on(service, plan->names.transit);
    planned->must_leave_mode = planned->must_join && is_default_bridge(service);
    result = plan_label(plan, planned);
    if (result < 0 || planned->is_refused)
        return result;
    if (planned->label && service->expose_label) {
        result = PLAN_PROBLEM(plan, service, "its label anchord.expose stays as it is; its ports would make \"%s\"",
                              planned->label);
        planned->label = NULL;
    }
    if (result == 0 && planned->must_join)
        result = plan_priority(plan, planned);
    return result < 0 ? result : remark_surroundings(plan, planned);
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

    return planned->owner == planned && !planned->must_join && !is_on(service, plan->names.transit) &&
           !service->is_network_anchor && has_way_out(service);
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

static int remark_project(struct plan *plan)
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
    return result;
}

/* Ports go only where the default route changes; a service that does not join stays published as it was. */
static void leave_ports(const struct plan *plan, struct planned_service *planned)
{
    const struct planned_service *owner = planned->owner;

    if (planned->is_refused)
        planned->must_join = false;
    else if (owner && !owner->is_refused && (owner->must_join || is_on(owner->service, plan->names.transit)))
        return;
    planned->must_remove_ports = false;
}

static int start_plan(struct plan *plan)
{
    size_t count = 0;

    for (const struct project_service *service = plan->project->services; service; service = service->next)
        count++;
    plan->services = arena_allocate(plan->arena, count, sizeof(*plan->services));
    if (!plan->services)
        return -ENOMEM;
    for (const struct project_service *service = plan->project->services; service; service = service->next) {
        plan->services[plan->service_count++].service = service;
        plan->is_wrapped |= service->is_network_anchor;
    }
    return plan_transit(plan);
}

int plan_make(struct arena *arena, const struct project *project, const struct wrap_options *options, struct plan *ret)
{
    struct plan_claims *claims = arena_allocate(arena, 1, sizeof(*claims));
    int result;

    *ret = (struct plan){.arena = arena, .project = project, .options = options};
    ret->findings_end = &ret->findings;
    result = claims ? start_plan(ret) : -ENOMEM;
    for (size_t i = 0; i < ret->service_count && result == 0; i++) {
        struct planned_service *planned = &ret->services[i];

        planned->owner = find_owner(ret, planned);
        if (planned->service->is_network_anchor)
            continue;
        result = check_namespace(ret, planned);
        if (result == 0 && !planned->is_refused)
            result = plan_ports(ret, claims, planned);
    }
    for (size_t i = 0; i < ret->service_count && result == 0; i++) {
        struct planned_service *planned = &ret->services[i];

        if (!planned->is_refused && planned->owner == planned && !planned->service->is_network_anchor)
            result = plan_owner(ret, planned);
    }
    if (result < 0)
        return result;
    for (size_t i = 0; i < ret->service_count; i++)
        leave_ports(ret, &ret->services[i]);
    return remark_project(ret);
}

bool plan_changes(const struct planned_service *planned)
{
    return !planned->is_refused && (planned->label || planned->must_join || planned->must_remove_ports);
}
