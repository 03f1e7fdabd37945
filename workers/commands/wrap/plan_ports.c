/* What becomes of each published port; see plan.h. Runs in anchord-wrap, pure. */
#include "common/cleanup.h"
#include "workers/commands/wrap/plan_internal.h"

#include <stdio.h>
#include <string.h>

/* A label that is longer makes the watcher refuse it (workers/docker/records.h, DOCKER_LABEL_SIZE). */
#define LABEL_LENGTH_MAX 8191

#define RUN_TEXT_SIZE 64

#define FAMILIES_BOTH (1 << OPTIONS_IPV4 | 1 << OPTIONS_IPV6)

/* Ports that stand one after the other and differ only in their numbers, which grow by one: Compose writes every port
 * of a range on its own. */
struct run {
    const struct project_port *first;
    size_t count;
};

static uint16_t outer_port(const struct project_port *port)
{
    return port->published_first ? port->published_first : port->target;
}

static bool continues(const struct run *run, const struct project_port *next)
{
    return next->published_first == run->first->published_first + run->count &&
           next->published_last == next->published_first && run->first->published_first > 0 &&
           run->first->published_last == run->first->published_first &&
           next->target == run->first->target + run->count && strcmp(next->protocol, run->first->protocol) == 0 &&
           strcmp(next->host_ip, run->first->host_ip) == 0;
}

/* The run of the service's ports that begins at that one. */
static struct run run_at(const struct project_service *service, size_t first)
{
    struct run run = {&service->ports[first], 1};

    while (first + run.count < service->port_count && continues(&run, &service->ports[first + run.count]))
        run.count++;
    return run;
}

/* "tcp/80:8080", "udp/10000-10020" */
static const char *run_text(const char *protocol, unsigned int port, unsigned int target, size_t count,
                            char text[RUN_TEXT_SIZE])
{
    size_t more = count - 1;
    size_t length;

    if (more == 0)
        (void)snprintf(text, RUN_TEXT_SIZE, "%.8s/%u", protocol, port);
    else
        (void)snprintf(text, RUN_TEXT_SIZE, "%.8s/%u-%zu", protocol, port, port + more);
    length = strlen(text);
    if (target != port && more == 0)
        (void)snprintf(text + length, RUN_TEXT_SIZE - length, ":%u", target);
    else if (target != port)
        (void)snprintf(text + length, RUN_TEXT_SIZE - length, ":%u-%zu", target, target + more);
    return text;
}

static const char *describe(const struct run *run, char text[RUN_TEXT_SIZE])
{
    return run_text(run->first->protocol, outer_port(run->first), run->first->target, run->count, text);
}

const char *plan_ports_text(struct plan *plan, const struct project_service *service)
{
    CLEANUP_FREE char *list = NULL;
    size_t length = 0;
    char text[RUN_TEXT_SIZE];
    FILE *stream = open_memstream(&list, &length);

    if (!stream)
        return NULL;
    for (size_t i = 0; i < service->port_count;) {
        struct run run = run_at(service, i);

        (void)fprintf(stream, "%s%s", i > 0 ? ", " : "", describe(&run, text));
        i += run.count;
    }
    return fclose(stream) == 0 ? arena_copy(plan->arena, list, length) : NULL;
}

/* 1 << OPTIONS_IPV4 and 1 << OPTIONS_IPV6, as Docker publishes for them. */
static uint8_t families_of(const char *host_ip)
{
    struct ip_address address;

    if (ip_address_parse(host_ip, &address) < 0)
        return FAMILIES_BOTH;
    return address.family == IP_FAMILY_4 ? 1 << OPTIONS_IPV4 : 1 << OPTIONS_IPV6;
}

/* --- claims ---------------------------------------------------------------------------------------------- */

static int add_exposure(struct plan *plan, struct planned_service *owner, const struct planned_exposure *exposure)
{
    if (owner->exposure_count == owner->exposure_capacity) {
        size_t capacity = owner->exposure_capacity ? 2 * owner->exposure_capacity : 8;
        struct planned_exposure *grown = arena_allocate(plan->arena, capacity, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        if (owner->exposure_count > 0)
            memcpy(grown, owner->exposures, owner->exposure_count * sizeof(*grown));
        owner->exposures = grown;
        owner->exposure_capacity = capacity;
    }
    owner->exposures[owner->exposure_count++] = *exposure;
    return 0;
}

enum claim_result { CLAIM_TAKEN, CLAIM_SHARED, CLAIM_AGAIN, CLAIM_REFUSED };

/* Who may have it: the first in the alphabet, or all, when profiles choose who runs (NAT-6 decides then). */
static enum claim_result claim(struct plan_claims *claims, struct planned_service *owner,
                               const struct planned_exposure *exposure)
{
    struct planned_service **holder = &claims->ports[exposure->is_udp][exposure->port].holder;
    uint16_t *target = &claims->ports[exposure->is_udp][exposure->port].target;

    if (!*holder) {
        *holder = owner;
        *target = exposure->target;
        return CLAIM_TAKEN;
    }
    if (*holder == owner)
        return *target == exposure->target ? CLAIM_AGAIN : CLAIM_REFUSED;
    return (*holder)->service->has_profiles || owner->service->has_profiles ? CLAIM_SHARED : CLAIM_REFUSED;
}

/* The first port of a run that met each result, and how many did. */
struct claim_report {
    size_t count;
    uint16_t port;
    const struct planned_service *holder;
};

static int report_claims(struct plan *plan, const struct project_service *service, const char *protocol,
                         const struct claim_report *shared, const struct claim_report *refused)
{
    int result = 0;

    if (refused->count > 0)
        result =
            PLAN_PROBLEM(plan, service, "%s/%u is not exposed%s: %s has it already", protocol, refused->port,
                         refused->count > 1 ? ", nor are others of its range" : "", refused->holder->service->name);
    if (result == 0 && shared->count > 0)
        result = PLAN_NOTE(plan, service,
                           "%s/%u is exposed by %s, too, since profiles choose who runs: of two that run "
                           "the older one has it",
                           protocol, shared->port, shared->holder->service->name);
    return result;
}

static int expose(struct plan *plan, struct plan_claims *claims, struct planned_service *planned, const struct run *run)
{
    struct claim_report shared = {0};
    struct claim_report refused = {0};
    bool is_udp = strcmp(run->first->protocol, "udp") == 0;

    for (size_t i = 0; i < run->count; i++) {
        struct planned_exposure exposure = {is_udp, families_of(run->first->host_ip),
                                            (uint16_t)(outer_port(run->first) + i), (uint16_t)(run->first->target + i)};
        struct planned_service *holder = claims->ports[is_udp][exposure.port].holder;
        enum claim_result found = claim(claims, planned->owner, &exposure);
        struct claim_report *report = found == CLAIM_SHARED ? &shared : &refused;

        if ((found == CLAIM_SHARED || found == CLAIM_REFUSED) && report->count++ == 0)
            *report = (struct claim_report){1, exposure.port, holder};
        if (found != CLAIM_REFUSED && add_exposure(plan, planned->owner, &exposure) < 0)
            return -ENOMEM;
    }
    return report_claims(plan, planned->service, run->first->protocol, &shared, &refused);
}

/* --- one run --------------------------------------------------------------------------------------------- */

static int keep(struct plan *plan, struct planned_service *planned, const struct run *run)
{
    char text[RUN_TEXT_SIZE];

    for (size_t i = 0; i < run->count; i++)
        planned->kept_ports[planned->kept_count++] = &run->first[i];
    return PLAN_NOTE(plan, planned->service, "%s stays published on %s, for the host itself, and is not exposed",
                     describe(run, text), run->first->host_ip);
}

enum binding {
    BINDING_EVERYWHERE, /* on every address of the host, or on one that --host-address names */
    BINDING_FOR_HOST,   /* on loopback */
    BINDING_ELSEWHERE,  /* on one address of the host: opening it to the whole LAN might be more than was meant */
};

static enum binding binding_of(const struct plan *plan, const struct planned_service *planned, const char *host_ip)
{
    struct ip_address address;

    if (host_ip[0] == '\0')
        return BINDING_EVERYWHERE;
    if (ip_address_parse(host_ip, &address) < 0)
        return BINDING_ELSEWHERE;
    if (ip_address_is_unspecified(&address))
        return BINDING_EVERYWHERE;
    if (ip_address_is_loopback(&address) && planned->owner == planned)
        return BINDING_FOR_HOST;
    for (size_t i = 0; i < plan->options->host_address_count; i++) {
        if (ip_address_compare(&plan->options->host_addresses[i], &address) == 0)
            return BINDING_EVERYWHERE;
    }
    return BINDING_ELSEWHERE;
}

int plan_bound_ports(struct plan *plan, const struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    int result = 0;

    for (size_t i = 0; i < service->port_count && result == 0 && !plan_is_closed(planned->owner->service);) {
        struct run run = run_at(service, i);
        const char *host_ip = run.first->host_ip;
        char text[RUN_TEXT_SIZE];

        if (binding_of(plan, planned, host_ip) == BINDING_ELSEWHERE && !planned->must_remove_ports)
            result = PLAN_PROBLEM(plan, service,
                                  "%s is bound to the host's address %s alone: it is not exposed and stays published "
                                  "there; --host-address %s exposes it",
                                  describe(&run, text), host_ip, host_ip);
        else if (binding_of(plan, planned, host_ip) == BINDING_ELSEWHERE)
            result = PLAN_PROBLEM(plan, service,
                                  "%s was bound to the host's address %s alone: it is closed now, there and on the "
                                  "project's address, since the service's way out is transit; --host-address %s "
                                  "exposes it",
                                  describe(&run, text), host_ip, host_ip);
        i += run.count;
    }
    return result;
}

static int plan_run(struct plan *plan, struct plan_claims *claims, struct planned_service *planned,
                    const struct run *run)
{
    const struct project_port *port = run->first;
    char text[RUN_TEXT_SIZE];
    int result = 0;

    if (binding_of(plan, planned, port->host_ip) == BINDING_FOR_HOST)
        return keep(plan, planned, run);
    planned->must_remove_ports = true;
    if (binding_of(plan, planned, port->host_ip) == BINDING_ELSEWHERE)
        return 0; /* plan_bound_ports() says what becomes of it */
    if (strcmp(port->protocol, "tcp") != 0 && strcmp(port->protocol, "udp") != 0)
        return PLAN_PROBLEM(plan, planned->service, "%s is not exposed: anchord knows tcp and udp",
                            describe(run, text));
    if (port->published_first == 0)
        result =
            PLAN_NOTE(plan, planned->service, "%s had whatever port of the host Docker chose; it is exposed as itself",
                      describe(run, text));
    else if (port->published_last > port->published_first)
        result = PLAN_PROBLEM(plan, planned->service, "any of the ports %u-%u could lead to %s/%u: %u alone does now",
                              port->published_first, port->published_last, port->protocol, port->target,
                              port->published_first);
    return result < 0 ? result : expose(plan, claims, planned, run);
}

int plan_ports(struct plan *plan, struct plan_claims *claims, struct planned_service *planned)
{
    const struct project_service *service = planned->service;
    int result = 0;

    planned->kept_ports = arena_allocate(plan->arena, service->port_count, sizeof(const struct project_port *));
    if (!planned->kept_ports)
        return -ENOMEM;
    for (size_t i = 0; i < service->port_count && result == 0;) {
        struct run run = run_at(service, i);

        result = plan_run(plan, claims, planned, &run);
        i += run.count;
    }
    return result;
}

/* --- the label ------------------------------------------------------------------------------------------- */

static int compare_exposures(const void *a, const void *b)
{
    const struct planned_exposure *first = a;
    const struct planned_exposure *second = b;

    if (first->is_udp != second->is_udp)
        return first->is_udp ? 1 : -1;
    return first->port - second->port;
}

/*
 * A port stands here once for each binding, and of several targets (where profiles share it) the first is the one: one
 * remains, for the families of all. Returns the new count.
 */
static size_t sort_exposures(struct planned_exposure *exposures, size_t count)
{
    size_t kept = 1;

    qsort(exposures, count, sizeof(*exposures), compare_exposures);
    for (size_t i = 1; i < count; i++) {
        if (compare_exposures(&exposures[i], &exposures[kept - 1]) != 0)
            exposures[kept++] = exposures[i];
        else
            exposures[kept - 1].families |= exposures[i].families;
    }
    return kept;
}

static size_t exposure_run(const struct planned_exposure *first, size_t rest)
{
    size_t count = 1;

    while (count < rest && first[count].is_udp == first->is_udp && first[count].port == first->port + count &&
           first[count].target == first->target + count)
        count++;
    return count > 2 ? count : 1; /* two ports read better one by one */
}

/* What the host published for one family alone, over all bindings of a port, is exposed for both. */
static int remark_families(struct plan *plan, const struct planned_service *planned)
{
    int result = 0;

    for (size_t i = 0; i < planned->exposure_count && result == 0;) {
        const struct planned_exposure *first = &planned->exposures[i];
        char text[RUN_TEXT_SIZE];
        size_t count = 1;

        while (i + count < planned->exposure_count && first[count].families == first->families &&
               first[count].is_udp == first->is_udp && first[count].port == first->port + count &&
               first[count].target == first->target + count)
            count++;
        (void)run_text(first->is_udp ? "udp" : "tcp", first->port, first->target, count, text);
        if (first->families == 1 << OPTIONS_IPV4 && plan->has_ipv6)
            result = PLAN_NOTE(plan, planned->service,
                               "%s was published for IPv4 alone and is exposed for both; the label "
                               "anchord.expose.v6: off undoes that",
                               text);
        else if (first->families == 1 << OPTIONS_IPV6)
            result = PLAN_NOTE(plan, planned->service,
                               "%s was published for IPv6 alone and is exposed for both: IPv4 reaches it now", text);
        i += count;
    }
    return result;
}

/* tcp/25, tcp/80:8080, udp/10000-10020 (DISC-3) */
int plan_label(struct plan *plan, struct planned_service *planned)
{
    CLEANUP_FREE char *label = NULL;
    size_t length = 0;
    FILE *stream;
    char text[RUN_TEXT_SIZE];

    if (planned->exposure_count == 0)
        return 0;
    planned->exposure_count = sort_exposures(planned->exposures, planned->exposure_count);
    stream = open_memstream(&label, &length);
    if (!stream)
        return -ENOMEM;
    for (size_t i = 0; i < planned->exposure_count;) {
        const struct planned_exposure *first = &planned->exposures[i];
        size_t count = exposure_run(first, planned->exposure_count - i);

        (void)fprintf(stream, "%s%s", i > 0 ? ", " : "",
                      run_text(first->is_udp ? "udp" : "tcp", first->port, first->target, count, text));
        i += count;
    }
    if (fclose(stream) != 0)
        return -ENOMEM;
    if (length > LABEL_LENGTH_MAX) {
        planned->is_refused = true;
        return PLAN_PROBLEM(plan, planned->service,
                            "its ports make a label of %zu bytes, and anchord reads %d: it stays "
                            "as it is",
                            length, LABEL_LENGTH_MAX);
    }
    planned->label = arena_copy(plan->arena, label, length);
    return planned->label ? remark_families(plan, planned) : -ENOMEM;
}
