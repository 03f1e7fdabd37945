/* What will be done with each service; see plan.h. Runs in anchord-wrap, pure. */
#include "workers/commands/wrap/plan.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "workers/commands/wrap/plan_internal.h"
#include "workers/commands/wrap/yaml.h"

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
        *character = text_printable(*character);
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

bool plan_is_default_bridge(const struct project_service *service)
{
    return strcmp(service->network_mode, "bridge") == 0 || strcmp(service->network_mode, "default") == 0;
}

static int report_host_network(struct plan *plan, const struct project_service *service)
{
    if (service->is_privileged || service->is_net_admin)
        return PLAN_PROBLEM(plan, service,
                            "works on the host's own network (network_mode: host, %s): it stays there. What it filters "
                            "or bans in the host's rules does not hold for the project's address any more",
                            service->is_privileged ? "privileged" : "NET_ADMIN");
    return PLAN_PROBLEM(plan, service,
                        "uses the host's network (network_mode: host): it stays there, with the "
                        "host's addresses; give it networks and ports: instead, if it can do with them");
}

/* Reports what stands against this service's namespace; then it stays as it is. 0 or -ENOMEM. */
static int check_namespace(struct plan *plan, struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    const char *mode;

    planned->is_refused = true;
    if (service->replicas == 0)
        return PLAN_NOTE(plan, service, "runs no container (0 replicas): it stays as it is and has no port");
    if (!planned->owner)
        return PLAN_PROBLEM(plan, service,
                            "is in a network namespace that is not of this project (network_mode: %s): "
                            "it stays there, label the container that owns it",
                            service->network_mode);
    mode = planned->owner->service->network_mode;
    if (planned->owner->service->replicas == 0)
        return PLAN_PROBLEM(plan, service, "is in the network namespace of %s, which runs no container (0 replicas)",
                            planned->owner->service->name);
    if (strcmp(mode, "host") == 0 && planned->owner == planned)
        return report_host_network(plan, service);
    if (strcmp(mode, "host") == 0)
        return PLAN_PROBLEM(plan, service, "is in the network namespace of %s, which uses the host's network",
                            planned->owner->service->name);
    if (strcmp(mode, "none") == 0)
        return service->port_count == 0
                   ? 0
                   : PLAN_PROBLEM(plan, service, "has ports:, but no network (network_mode: none)");
    if (mode[0] != '\0' && !plan_is_default_bridge(planned->owner->service))
        return PLAN_PROBLEM(plan, service, "network_mode: %s is not known here; it stays as it is", mode);
    planned->is_refused = false;
    return 0;
}

/* --- the way out ------------------------------------------------------------------------------------------ */

bool plan_has_way_out(const struct project_service *service)
{
    for (const struct project_attachment *each = service->attachments; each; each = each->next) {
        if (!each->network->is_internal && !each->network->has_gateway)
            return true;
    }
    return plan_is_default_bridge(service);
}

bool plan_is_closed(const struct project_service *service)
{
    if (!service->attachments || service->expose_label)
        return false;
    for (const struct project_attachment *each = service->attachments; each; each = each->next) {
        if (!each->network->is_internal)
            return false;
    }
    return true;
}

static int report_closed(struct plan *plan, const struct planned_service *planned)
{
    const char *ports = plan_ports_text(plan, planned->service);

    if (!ports)
        return -ENOMEM;
    if (planned->service->port_count == 0)
        return 0;
    return PLAN_PROBLEM(plan, planned->service,
                        "%s: not exposed, since Docker publishes nothing on internal networks, and %s on no other: it "
                        "stays closed, off transit. With a label anchord.expose of its own the LAN reaches it",
                        ports,
                        planned->owner == planned ? "the service is" : "the service whose namespace it is in is");
}

bool plan_is_on(const struct project_service *service, const char *network)
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
    if (options_engine_is_before(plan->options, 28, 0)) {
        planned->gateway_priority = 0;
        return PLAN_PROBLEM(plan, planned->service,
                            "its way out stays on the network %s, which comes before transit by name, and engines "
                            "before 28 know no gw_priority: rename that network",
                            rival->key);
    }
    return PLAN_NOTE(plan, planned->service,
                     "gw_priority keeps the network %s from being its way out: needs Compose 2.33 "
                     "and Engine 28, with older ones its replies would leave there",
                     rival->key);
}

/* --- the names of its interfaces -------------------------------------------------------------------------- */

/* Whether something in this namespace may have rules that name an interface. */
static bool may_name_interfaces(const struct plan *plan, const struct planned_service *owner)
{
    for (size_t i = 0; i < plan->service_count; i++) {
        const struct project_service *service = plan->services[i].service;

        if (plan->services[i].owner == owner &&
            (service->is_net_admin || service->is_privileged || service->is_forwarding))
            return true;
    }
    return false;
}

static bool is_interface_name_taken(const struct project_service *service, const char *name)
{
    for (const struct project_attachment *each = service->attachments; each; each = each->next) {
        if (each->interface_name && strcmp(each->interface_name, name) == 0)
            return true;
    }
    return false;
}

/* The next of eth0, eth1 … that the project has not given away itself. */
static const char *next_interface_name(struct plan *plan, const struct project_service *service, unsigned int *number)
{
    const char *name;

    do
        name = arena_format(plan->arena, "eth%u", (*number)++);
    while (name && is_interface_name_taken(service, name));
    return name;
}

/*
 * Docker gives eth0 to whichever network it connects first, by chance (measured on 28.5); a name for one of them alone
 * collides with that. So all get names: transit, the way out, the one that a service with a single network knew.
 */
static int plan_interface_names(struct plan *plan, struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    unsigned int number = 0;
    size_t count = 1;

    if (!service->attachments || !may_name_interfaces(plan, planned))
        return 0;
    if (options_engine_is_before(plan->options, 28, 1))
        return PLAN_PROBLEM(
            plan, service,
            "may have rules that name an interface (NET_ADMIN or forwarding), and which of its networks "
            "is eth0 changes from start to start: engines before 28.1 cannot fix it");
    for (const struct project_attachment *each = service->attachments; each; each = each->next)
        count++;
    planned->interface_names = arena_allocate(plan->arena, count, sizeof(const char *));
    if (!planned->interface_names)
        return -ENOMEM;
    planned->interface_names[0] = next_interface_name(plan, service, &number);
    count = 1;
    for (const struct project_attachment *each = service->attachments; each; each = each->next, count++) {
        planned->interface_names[count] =
            each->interface_name ? each->interface_name : next_interface_name(plan, service, &number);
        if (!planned->interface_names[count])
            return -ENOMEM;
    }
    if (!planned->interface_names[0])
        return -ENOMEM;
    return PLAN_NOTE(plan, service,
                     "may have rules that name an interface (NET_ADMIN or forwarding): %s is transit, its way out, now "
                     "and at each start, by interface_name, which needs Compose 2.36 and Engine 28.1",
                     planned->interface_names[0]);
}

/* --- each service that has a namespace of its own ---------------------------------------------------------- */

/*
 * SPEC 0: what the project sends out leaves with its one address, so whatever can reach the outside today goes through
 * the anchor. Not if that only took ports away, since not one of them can be exposed; nor if it would cost an address
 * on the LAN its way out, and nothing is won.
 */
static bool wants_transit(const struct plan *plan, const struct planned_service *planned)
{
    if (planned->exposure_count > 0 || planned->service->expose_label)
        return true;
    return !plan->options->ports_only && !planned->must_remove_ports && plan_has_way_out(planned->service) &&
           !plan_network_on_lan(plan, planned->service);
}

static int plan_owner(struct plan *plan, struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    int result;

    if (wants_transit(plan, planned))
        planned->must_join = !plan->is_wrapped || !plan_is_on(service, plan->names.transit);
    planned->must_leave_mode = planned->must_join && plan_is_default_bridge(service);
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
    if (result == 0 && planned->must_join)
        result = plan_interface_names(plan, planned);
    return result < 0 ? result : plan_remark_service(plan, planned);
}

/* Ports go only where the default route changes; a service that does not join stays published as it was. */
static void leave_ports(const struct plan *plan, struct planned_service *planned)
{
    const struct planned_service *owner = planned->owner;

    if (planned->is_refused)
        planned->must_join = false;
    else if (owner && !owner->is_refused && (owner->must_join || plan_is_on(owner->service, plan->names.transit)))
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
            result = plan_is_closed(planned->owner->service) ? report_closed(ret, planned)
                                                             : plan_ports(ret, claims, planned);
    }
    for (size_t i = 0; i < ret->service_count && result == 0; i++) {
        struct planned_service *planned = &ret->services[i];

        if (!planned->is_refused && planned->owner == planned && !planned->service->is_network_anchor)
            result = plan_owner(ret, planned);
    }
    if (result < 0)
        return result;
    for (size_t i = 0; i < ret->service_count && result == 0; i++) {
        leave_ports(ret, &ret->services[i]);
        if (!ret->services[i].is_refused && ret->services[i].owner && !ret->services[i].service->is_network_anchor)
            result = plan_bound_ports(ret, &ret->services[i]);
    }
    return result < 0 ? result : plan_remark_project(ret);
}

bool plan_changes(const struct planned_service *planned)
{
    return !planned->is_refused && (planned->label || planned->must_join || planned->must_remove_ports);
}
