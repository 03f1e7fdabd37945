/* Which problems there are; see problems.h. Runs in anchord-control, without any privilege. */
#include "workers/control/problems.h"

#include "common/clock.h"
#include "protocol/metrics.h"
#include "workers/control/network_words.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* A worker that was restarted so often, the last time within this time, is not well. */
#define RESTARTS_TOO_MANY   3
#define RESTARTS_REMEMBERED (UINT64_C(600) * NANOSECONDS_PER_SECOND)

static const char *const families[FAMILY_INDEX_MAX_] = {"v4", "v6"};

/* --- conditions ------------------------------------------------------------------------------------------ */

static enum problem problem_of(size_t condition)
{
    static const enum problem problems[CONDITION_WORKER] = {
        [CONDITION_NO_EXTERNAL_INTERFACE] = PROBLEM_NO_EXTERNAL_INTERFACE,
        [CONDITION_NO_SHARED_INTERFACE] = PROBLEM_NO_SHARED_INTERFACE,
        [CONDITION_NO_LEASE] = PROBLEM_NO_LEASE,
        [CONDITION_NO_GATEWAY + FAMILY_INDEX_4] = PROBLEM_NO_GATEWAY,
        [CONDITION_NO_GATEWAY + FAMILY_INDEX_6] = PROBLEM_NO_GATEWAY,
        [CONDITION_DOCKER_AWAY] = PROBLEM_DOCKER_AWAY,
        [CONDITION_RULES_NOT_LOADED] = PROBLEM_RULES_NOT_LOADED,
        [CONDITION_NOTHING_APPLIED] = PROBLEM_NOTHING_APPLIED,
        [CONDITION_NO_WAY_OUT] = PROBLEM_NO_WAY_OUT,
        [CONDITION_NO_NETWORK] = PROBLEM_NO_NETWORK,
        [CONDITION_LINKS_NOT_MADE] = PROBLEM_LINKS_NOT_MADE,
        [CONDITION_WAYS_NOT_INSTALLED] = PROBLEM_WAYS_NOT_INSTALLED,
        [CONDITION_NO_HOST_HALF] = PROBLEM_NO_HOST_HALF,
    };

    return condition < CONDITION_WORKER ? problems[condition] : PROBLEM_WORKER_AWAY;
}

/* Of those that are nothing but a part of being ready. */
static uint32_t readiness_of(size_t condition)
{
    static const uint32_t conditions[CONDITION_WORKER] = {
        [CONDITION_DOCKER_AWAY] = READINESS_DOCKER_CONNECTED,
        [CONDITION_RULES_NOT_LOADED] = READINESS_TABLES_INSTALLED,
        [CONDITION_NOTHING_APPLIED] = READINESS_RECONCILED,
        [CONDITION_NO_WAY_OUT] = READINESS_ROUTE_INSTALLED,
        [CONDITION_NO_NETWORK] = READINESS_LINKS_PRESENT,
        [CONDITION_LINKS_NOT_MADE] = READINESS_LINKS_MADE,
        [CONDITION_WAYS_NOT_INSTALLED] = READINESS_WAYS_INSTALLED,
    };

    return condition < CONDITION_WORKER ? conditions[condition] : 0;
}

/* One that is looked for, by its MAC address, and is not there. */
static bool is_missing(const struct wire_reported_link *link)
{
    return !mac_address_is_zero(&link->mac) && link->index == 0;
}

/* A LAN without a server for one of the families is ordinary. */
static bool lacks_lease(const struct message_supervision *supervision)
{
    bool is_searching = false;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        if (supervision->leases[i].state == LEASE_STATE_HELD || supervision->leases[i].state == LEASE_STATE_REFUSED)
            return false;
        is_searching = is_searching || supervision->leases[i].state == LEASE_STATE_SEARCHING;
    }
    return is_searching;
}

static bool lacks_gateway(const struct wire_reported_gateway *gateway)
{
    return gateway->decision != 0 && gateway->is_expected && gateway->address.family == IP_FAMILY_NONE;
}

static bool has_finding(const struct view *view, enum problem problem)
{
    for (size_t source = 0; source < FINDINGS_SOURCE_MAX_; source++) {
        const struct findings *findings = &view->told[source].last;

        for (size_t i = 0; i < findings->count; i++) {
            if (findings->items[i]->problem == (uint16_t)problem)
                return true;
        }
    }
    return false;
}

/* Some of what this role must have to be ready. */
static bool lacks(const struct view *view, uint32_t readiness)
{
    return view->supervision.required & ~view->supervision.conditions & readiness;
}

/* Not where something else has to come first, which is told of then. */
static bool lacks_readiness(const struct view *view, size_t condition)
{
    if (!lacks(view, readiness_of(condition)))
        return false;
    switch (condition) {
    case CONDITION_DOCKER_AWAY: /* who tells of it himself has more to say */
        return !has_finding(view, PROBLEM_DOCKER_AWAY);
    case CONDITION_RULES_NOT_LOADED:
        return view->report.external.index && !is_missing(&view->report.shared);
    case CONDITION_NOTHING_APPLIED:
        return !lacks(view, READINESS_TABLES_INSTALLED | READINESS_DOCKER_CONNECTED);
    default:
        return true;
    }
}

static bool is_away(const struct view *view, size_t worker)
{
    const struct message_supervision *supervision = &view->supervision;

    return worker < supervision->worker_count && supervision->workers[worker].state == WORKER_STATE_RESTARTING;
}

static bool holds(const struct view *view, size_t condition)
{
    switch (condition) {
    case CONDITION_NO_EXTERNAL_INTERFACE:
        return is_missing(&view->report.external);
    case CONDITION_NO_SHARED_INTERFACE:
        return is_missing(&view->report.shared);
    case CONDITION_NO_LEASE:
        return lacks_lease(&view->supervision);
    case CONDITION_NO_GATEWAY + FAMILY_INDEX_4:
    case CONDITION_NO_GATEWAY + FAMILY_INDEX_6:
        return lacks_gateway(&view->report.gateways[condition - CONDITION_NO_GATEWAY]);
    case CONDITION_DOCKER_AWAY:
    case CONDITION_RULES_NOT_LOADED:
    case CONDITION_NOTHING_APPLIED:
    case CONDITION_NO_WAY_OUT:
    case CONDITION_NO_NETWORK:
    case CONDITION_LINKS_NOT_MADE:
    case CONDITION_WAYS_NOT_INSTALLED:
        return lacks_readiness(view, condition);
    case CONDITION_NO_HOST_HALF:
        return view->supervision.faults & SUPERVISOR_FAULT_NO_HOST_HALF;
    default:
        return is_away(view, condition - CONDITION_WORKER);
    }
}

/* When a condition that holds is shown. */
static uint64_t visible_at(const struct view *view, size_t condition)
{
    size_t index = 0;

    return problem_find(problem_of(condition), &index) < 0
               ? UINT64_MAX
               : view->conditions_since[condition] +
                     problem_definition(index)->visible_after_seconds * MICROSECONDS_PER_SECOND;
}

/* For how long, in microseconds, its restarts are shown yet; 0: they are not. */
static uint64_t restarts_last_for(const struct wire_worker *worker)
{
    uint64_t now = clock_real_nanoseconds();
    uint64_t age = now > worker->since ? now - worker->since : 0;

    if (worker->restarts < RESTARTS_TOO_MANY || worker->state != WORKER_STATE_RUNNING || age >= RESTARTS_REMEMBERED)
        return 0;
    return (RESTARTS_REMEMBERED - age) / (NANOSECONDS_PER_SECOND / MICROSECONDS_PER_SECOND) + 1;
}

/* For how long it is shown yet that somebody changes our tables again and again; 0: it is not. */
static uint64_t repairs_last_for(const struct view *view, uint64_t now)
{
    uint64_t first = view->repaired_at[REPAIRS_TOO_MANY - 1];
    uint64_t memory = RESTARTS_REMEMBERED / (NANOSECONDS_PER_SECOND / MICROSECONDS_PER_SECOND);

    return first && now < first + memory ? first + memory - now : 0;
}

/* When those were that a first report counts nobody knows; another netadmin counts from 0 on. */
static void note_repairs(struct view *view, uint64_t now)
{
    uint32_t seen = view->report.repairs < view->repairs_seen ? 0 : view->repairs_seen;

    if (view->report.header.type == MESSAGE_INVALID)
        return;
    if (!view->has_seen_repairs)
        seen = view->report.repairs;
    view->has_seen_repairs = true;
    for (uint32_t i = 0; i < view->report.repairs - seen && i < REPAIRS_TOO_MANY; i++) {
        memmove(view->repaired_at + 1, view->repaired_at, sizeof(view->repaired_at) - sizeof(view->repaired_at[0]));
        view->repaired_at[0] = now;
    }
    view->repairs_seen = view->report.repairs;
}

static void sooner(uint64_t *next, uint64_t now, uint64_t lasts)
{
    if (lasts && now + lasts < *next)
        *next = now + lasts;
}

uint64_t problems_note(struct view *view, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < CONDITION_MAX_; i++) {
        if (!holds(view, i))
            view->conditions_since[i] = 0;
        else if (view->conditions_since[i] == 0)
            view->conditions_since[i] = now;
        if (view->conditions_since[i] && visible_at(view, i) > now && visible_at(view, i) < next)
            next = visible_at(view, i);
    }
    note_repairs(view, now);
    sooner(&next, now, repairs_last_for(view, now));
    for (uint32_t i = 0; i < view->supervision.worker_count; i++)
        sooner(&next, now, restarts_last_for(&view->supervision.workers[i]));
    return next;
}

/* --- telling --------------------------------------------------------------------------------------------- */

struct telling {
    const struct view *view;
    uint64_t now;
    problem_handler handler; /* NULL at first: what holds is noted in is_held */
    void *userdata;
    bool is_held[PROBLEMS_TOLD];
};

/* What it follows from holds, at any distance. */
static bool has_cause(const struct telling *telling, const struct problem_definition *definition)
{
    size_t index = 0;

    while (definition->parent != PROBLEM_NONE && problem_find(definition->parent, &index) == 0) {
        if (telling->is_held[index])
            return true;
        definition = problem_definition(index);
    }
    return false;
}

static int tell(struct telling *telling, uint32_t problem, const char *object, const char *text)
{
    struct shown_problem shown = {.object = object};
    size_t index = 0;

    if (problem_find(problem, &index) < 0 || index >= PROBLEMS_TOLD)
        return 0; /* nothing that was let in */
    if (!telling->handler) {
        telling->is_held[index] = true;
        return 0;
    }
    shown.definition = problem_definition(index);
    shown.text = text[0] ? text : shown.definition->title;
    return has_cause(telling, shown.definition) ? 0 : telling->handler(telling->userdata, &shown);
}

static int tell_condition(struct telling *telling, size_t condition)
{
    const struct message_network_report *report = &telling->view->report;
    const char *external = report->external.name[0] ? report->external.name : "LAN";

    switch (condition) {
    case CONDITION_NO_EXTERNAL_INTERFACE:
        return tell(telling, problem_of(condition), "LAN", "");
    case CONDITION_NO_SHARED_INTERFACE:
        return tell(telling, problem_of(condition), report->shared.network, "");
    case CONDITION_NO_LEASE:
        return tell(telling, problem_of(condition), external, "");
    case CONDITION_NO_GATEWAY + FAMILY_INDEX_4:
        return tell(telling, problem_of(condition), external, "no IPv4 gateway is known: nothing leaves by IPv4");
    case CONDITION_NO_GATEWAY + FAMILY_INDEX_6:
        return tell(telling, problem_of(condition), external, "no IPv6 gateway is known: nothing leaves by IPv6");
    case CONDITION_DOCKER_AWAY:
        return tell(telling, problem_of(condition), "Docker", "");
    default:
        return tell(telling, problem_of(condition),
                    condition < CONDITION_WORKER
                        ? "anchord"
                        : telling->view->supervision.workers[condition - CONDITION_WORKER].name,
                    "");
    }
}

/* One that is not shown yet is a cause already. */
static int tell_conditions(struct telling *telling)
{
    int result = 0;

    for (size_t i = 0; i < CONDITION_MAX_ && result >= 0; i++) {
        if (telling->view->conditions_since[i] && (!telling->handler || visible_at(telling->view, i) <= telling->now))
            result = tell_condition(telling, i);
    }
    return result;
}

static int tell_refused_leases(struct telling *telling)
{
    int result = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result >= 0; i++) {
        const struct wire_lease_status *lease = &telling->view->supervision.leases[i];
        char text[REASON_SIZE + 32];

        if (lease->state != LEASE_STATE_REFUSED)
            continue;
        (void)snprintf(text, sizeof(text), "the %s lease is refused: %s", families[i], lease->reason);
        result = tell(telling, PROBLEM_LEASE_REFUSED, "DHCP", text);
    }
    return result;
}

static int tell_restarts(struct telling *telling)
{
    const struct message_supervision *supervision = &telling->view->supervision;
    int result = 0;

    for (uint32_t i = 0; i < supervision->worker_count && result >= 0; i++) {
        const struct wire_worker *worker = &supervision->workers[i];
        char text[96];

        if (restarts_last_for(worker) == 0)
            continue;
        (void)snprintf(text, sizeof(text), "it was restarted %llu times, the last time within ten minutes",
                       (unsigned long long)worker->restarts);
        result = tell(telling, PROBLEM_WORKER_RESTARTS, worker->name, text);
    }
    return result;
}

/* Those of the LAN stand under the external interface's name, if it has one. */
static int tell_network(struct telling *telling)
{
    const struct message_network_report *report = &telling->view->report;
    const char *name = report->external.name[0] ? report->external.name : "LAN";
    int result = 0;

    for (uint32_t i = 0; i < report->problem_count && result >= 0; i++) {
        char text[NETWORK_WORDS_SIZE];
        enum problem problem = network_words_describe(&report->problems[i], text);

        result = tell(telling, problem, name, text);
    }
    return result;
}

static int tell_finding(struct telling *telling, const struct finding *finding)
{
    char text[NAME_SIZE + 64];
    char last[8] = "";

    if (finding->kind == FINDING_EXPOSED || finding->kind == FINDING_LINK)
        return 0;
    if (finding->kind == FINDING_PROBLEM)
        return tell(telling, finding->problem, finding->container, finding->reason);
    if (finding->port_last > finding->port_first)
        (void)snprintf(last, sizeof(last), "-%u", (unsigned int)finding->port_last);
    (void)snprintf(text, sizeof(text), "%s/%u%s is refused: held by %s",
                   finding->protocol == IPPROTO_UDP ? "udp" : "tcp", (unsigned int)finding->port_first, last,
                   finding->other);
    return tell(telling, finding->problem, finding->container, text);
}

static int tell_findings(struct telling *telling)
{
    int result = 0;

    for (size_t source = 0; source < FINDINGS_SOURCE_MAX_; source++) {
        const struct findings *findings = &telling->view->told[source].last;

        for (size_t i = 0; i < findings->count && result >= 0; i++)
            result = tell_finding(telling, findings->items[i]);
    }
    return result;
}

static int tell_repairs(struct telling *telling)
{
    char text[96];

    if (repairs_last_for(telling->view, telling->now) == 0)
        return 0;
    (void)snprintf(text, sizeof(text), "somebody else changed anchord's rules %u times; they were put back",
                   telling->view->report.repairs);
    return tell(telling, PROBLEM_RULES_CHANGED, "anchord", text);
}

static int tell_supervisor_faults(struct telling *telling)
{
    static const struct {
        enum supervisor_fault fault;
        enum problem problem;
    } rows[] = {
        {SUPERVISOR_FAULT_NOT_ANNOUNCED, PROBLEM_NOT_ANNOUNCED},
        {SUPERVISOR_FAULT_NO_BANS, PROBLEM_NO_BANS},
        {SUPERVISOR_FAULT_NO_METRICS, PROBLEM_NO_METRICS},
    };
    int result = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && result >= 0; i++) {
        if (telling->view->supervision.faults & (uint32_t)rows[i].fault)
            result = tell(telling, rows[i].problem, "anchord", "");
    }
    return result;
}

static int tell_all(struct telling *telling)
{
    int result = tell_conditions(telling);

    if (result >= 0)
        result = tell_supervisor_faults(telling);

    if (result >= 0)
        result = tell_refused_leases(telling);
    if (result >= 0)
        result = tell_network(telling);
    if (result >= 0)
        result = tell_findings(telling);
    if (result >= 0)
        result = tell_repairs(telling);
    if (result >= 0)
        result = tell_restarts(telling);
    return result;
}

int problems_tell(const struct view *view, uint64_t now, problem_handler handler, void *userdata)
{
    struct telling telling = {.view = view, .now = now};

    (void)tell_all(&telling); /* noting does not fail */
    telling.handler = handler;
    telling.userdata = userdata;
    return tell_all(&telling);
}

/* --- the metric ------------------------------------------------------------------------------------------ */

/* In this role, and already. */
static bool is_judged(const struct view *view, const struct problem_definition *definition)
{
    for (size_t i = 0; i < CONDITION_WORKER; i++) {
        if (!readiness_of(i) || problem_of(i) != definition->problem)
            continue;
        if (view->supervision.required & readiness_of(i))
            return true;
        if (definition->teller == PROBLEM_TELLER_SUPERVISOR)
            return false;
    }
    switch (definition->teller) {
    case PROBLEM_TELLER_WATCHER:
        return view->told[FINDINGS_OF_WATCHER].has_told;
    case PROBLEM_TELLER_KEEPER:
        return view->told[FINDINGS_OF_KEEPER].has_told;
    case PROBLEM_TELLER_NETWORK:
        return view->report.header.type != MESSAGE_INVALID;
    case PROBLEM_TELLER_SUPERVISOR:
        return view->supervision.header.type != MESSAGE_INVALID;
    case PROBLEM_TELLER_LOG:
    case PROBLEM_TELLER_DOCTOR:
        break;
    }
    return false;
}

static int count(void *userdata, const struct shown_problem *problem)
{
    uint32_t *counts = userdata;
    size_t index = 0;

    if (problem_find((uint32_t)problem->definition->problem, &index) == 0)
        counts[index]++;
    return 0;
}

void problems_count(const struct view *view, uint64_t now)
{
    uint32_t counts[PROBLEM_INDEX_MAX_] = {0};

    (void)problems_tell(view, now, count, counts); /* count() does not fail */
    for (size_t i = 0; i < PROBLEMS_TOLD; i++) {
        bool is_known = counts[i] > 0 || is_judged(view, problem_definition(i));

        metrics_set(METRIC_PROBLEM, i, is_known ? counts[i] + UINT64_C(1) : 0);
    }
}
