/* What became of each container's labels; see findings.h. Pure, runs without any privilege. */
#include "workers/watcher/findings.h"

#include "common/array.h"
#include "common/clock.h"
#include "common/text.h"
#include "protocol/problems.h"
#include "workers/watcher/guests.h"

#include <netinet/in.h>
#include <stdio.h>

struct telling {
    finding_handler handler;
    void *userdata;
    size_t count;
};

static struct wire_finding make(enum finding_kind kind, enum problem problem, const char *container)
{
    struct wire_finding finding = {.kind = (uint8_t)kind, .problem = (uint16_t)problem};

    text_copy_cut(finding.container, sizeof(finding.container), container);
    return finding;
}

/* What exceeds the limit is the end of a list that nobody reads that far. */
static int tell(struct telling *telling, const struct wire_finding *finding)
{
    if (telling->count == FINDINGS_MAX)
        return 0;
    telling->count++;
    return telling->handler(telling->userdata, finding);
}

static int tell_absence(struct telling *telling, const struct watch_absence *absence)
{
    struct wire_finding finding = make(FINDING_PROBLEM, PROBLEM_DOCKER_AWAY, "Docker");
    char since[CLOCK_TEXT_SIZE];

    clock_format(absence->since, since);
    (void)snprintf(
        finding.reason, sizeof(finding.reason),
        "cannot be read since %.19sZ: %.200s; what is exposed stays, nothing new is seen; %s", since, absence->reason,
        absence->is_socket ? "if Docker runs, its socket file is a new one: restart this container, or mount "
                             "the socket's directory"
                           : "if Docker runs, look at what DOCKER_HOST names: a socket proxy whose own socket "
                             "file went stale has to be restarted");
    return tell(telling, &finding);
}

int findings_tell_absence(const struct watch_absence *absence, finding_handler handler, void *userdata)
{
    struct telling telling = {.handler = handler, .userdata = userdata};

    return tell_absence(&telling, absence);
}

static const char *name_of(const struct container_entry *entry)
{
    return entry ? entry->name : "";
}

static int tell_grant(struct telling *telling, const struct container_table *table, const struct exposure_grant *grant)
{
    const struct guest_list *guests = grant->source->guests;
    struct wire_finding finding =
        make(FINDING_EXPOSED, PROBLEM_NONE, name_of(container_table_find(table, grant->source->id)));

    if (guests && table->lacks_lists && guest_list_names(guests, GUEST_PORTS, grant->protocol, grant->port_first))
        return 0; /* tell_faults() has said why */
    if (guests)
        guests_describe(guests, grant->protocol, grant->port_first, grant->port_last, finding.reason);

    finding.protocol = grant->protocol;
    finding.port_first = grant->port_first;
    finding.port_last = grant->port_last;
    finding.backend_port_first = grant->backend_port_first;
    if (!(grant->missing_families & (1U << FAMILY_INDEX_4)))
        finding.address4 = wire_address_from(&grant->source->address4);
    if (!(grant->missing_families & (1U << FAMILY_INDEX_6)))
        finding.address6 = wire_address_from(&grant->source->address6);
    return tell(telling, &finding);
}

static int tell_conflict(struct telling *telling, const struct container_table *table,
                         const struct exposure_conflict *conflict)
{
    struct wire_finding finding =
        make(FINDING_CONFLICT, PROBLEM_PORT_CONFLICT, name_of(container_table_find_serial(table, conflict->refused)));

    finding.protocol = conflict->protocol;
    finding.port_first = conflict->port_first;
    finding.port_last = conflict->port_last;
    text_copy_cut(finding.other, sizeof(finding.other), name_of(container_table_find_serial(table, conflict->holder)));
    return tell(telling, &finding);
}

/* `what`, and the ports that it keeps from being exposed, as many as there is room for. */
static void say_of_ports(struct wire_finding *finding, const char *what, const struct container_entry *entry)
{
    size_t size = sizeof(finding->reason);
    size_t length = (size_t)snprintf(finding->reason, size, "%s", what);

    for (uint32_t i = 0; i < entry->range_count && length < size; i++) {
        const struct expose_range *range = &entry->ranges[i];
        char text[32];
        int added = snprintf(text, sizeof(text), "%s%s/%u", i == 0 ? ": " : ", ",
                             range->protocol == IPPROTO_TCP ? "tcp" : "udp", (unsigned int)range->port_first);

        if (range->port_last > range->port_first)
            added += snprintf(text + added, sizeof(text) - (size_t)added, "-%u", (unsigned int)range->port_last);
        if (length + (size_t)added + sizeof(" …") > size) {
            text_copy_cut(finding->reason + length, size - length, " …");
            return;
        }
        text_copy_cut(finding->reason + length, size - length, text);
        length += (size_t)added;
    }
}

static int tell_over_limit(struct telling *telling, const struct container_table *table, uint32_t serial)
{
    const struct container_entry *entry = container_table_find_serial(table, serial);
    struct wire_finding finding = make(FINDING_PROBLEM, PROBLEM_TOO_MANY_PORTS, name_of(entry));

    if (entry)
        say_of_ports(&finding, "more ports than the maps may still take", entry);
    return tell(telling, &finding);
}

static int tell_path(struct telling *telling, const struct path_finding *path)
{
    struct wire_finding finding = make(FINDING_PROBLEM, return_path_problem(path->fault), path->container);
    const char *families = path->family == IP_FAMILY_NONE ? "" : path->family == IP_FAMILY_4 ? " (v4)" : " (v6)";
    int length = snprintf(finding.reason, sizeof(finding.reason), "%s%s; ", return_path_message(path->fault), families);

    if (length > 0 && (size_t)length < sizeof(finding.reason))
        text_copy_cut(finding.reason + length, sizeof(finding.reason) - (size_t)length, path->remedy);
    return tell(telling, &finding);
}

/* GUEST-1: what keeps a container from being exposed that has lists. */
static int tell_guests(struct telling *telling, const struct container_table *table,
                       const struct container_entry *entry)
{
    bool is_unlisted = table->lacks_lists && guest_list_count(&entry->guests, GUEST_PORTS) > 0;
    struct wire_finding finding =
        make(FINDING_PROBLEM, is_unlisted ? PROBLEM_NO_LISTS : PROBLEM_LISTS_TOO_LONG, entry->name);

    if (!entry->has_too_many_guests && !is_unlisted)
        return 0;
    if (!is_unlisted)
        (void)snprintf(finding.reason, sizeof(finding.reason),
                       "labels anchord.allow and anchord.limit: more than %d sources or %d limits in all, counted for "
                       "each range of ports: its ports are not exposed",
                       GUEST_SOURCES_MAX, GUEST_LIMITS_MAX);
    return tell(telling, &finding);
}

static int tell_idle_guests(struct telling *telling, const struct container_entry *entry)
{
    struct wire_finding finding = make(FINDING_PROBLEM, PROBLEM_LIST_IN_VAIN, entry->name);
    const struct wire_guest *idle = guests_find_idle(&entry->guests, entry->ranges, entry->range_count);

    if (!idle || entry->range_count == 0)
        return 0;
    (void)snprintf(finding.reason, sizeof(finding.reason),
                   "its list or limit for %s/%u closes nothing: it exposes no such port",
                   idle->protocol == IPPROTO_TCP ? "tcp" : "udp", (unsigned int)idle->port_first);
    return tell(telling, &finding);
}

static int tell_unknown_label(struct telling *telling, const struct container_entry *entry)
{
    struct wire_finding finding = make(FINDING_PROBLEM, PROBLEM_LABEL_UNKNOWN, entry->name);
    const char *nearest;

    if (!entry->unknown_label)
        return 0;
    nearest = watched_label_nearest(entry->unknown_label);
    (void)snprintf(finding.reason, sizeof(finding.reason), "label %s does nothing: anchord has none of that name%s%s%s",
                   entry->unknown_label, nearest[0] != '\0' ? ", but " : "", nearest,
                   entry->range_count == 0 ? "; the container exposes nothing" : "");
    return tell(telling, &finding);
}

static int tell_refusal(struct telling *telling, const char *reason)
{
    struct wire_finding finding = make(FINDING_PROBLEM, PROBLEM_STATE_REFUSED, "anchord");

    if (reason[0] == '\0')
        return 0;
    (void)snprintf(finding.reason, sizeof(finding.reason),
                   "a new state of the project did not become rules, the last one holds: %s", reason);
    return tell(telling, &finding);
}

static int tell_odd(struct telling *telling, const struct odd_container *odd)
{
    struct wire_finding finding =
        make(FINDING_PROBLEM, PROBLEM_CONTAINER_NOT_UNDERSTOOD, odd->name[0] != '\0' ? odd->name : odd->id);

    (void)snprintf(finding.reason, sizeof(finding.reason), "anchord leaves it out: %s", odd->reason);
    return tell(telling, &finding);
}

static int tell_faults(struct telling *telling, const struct container_table *table,
                       const struct container_entry *entry)
{
    struct wire_finding finding;
    int result = 0;

    if (entry->is_warned_of) {
        finding = make(FINDING_PROBLEM, PROBLEM_NO_ADDRESS, entry->name);
        say_of_ports(&finding, "has no usable address on transit", entry);
        result = tell(telling, &finding);
    }
    if (result == 0 && entry->range_count > 0 && container_entry_is_withheld(entry)) {
        bool lacks_check = container_entry_lacks_health_check(entry);

        finding = make(FINDING_PROBLEM, lacks_check ? PROBLEM_NO_HEALTH_CHECK : PROBLEM_NOT_HEALTHY, entry->name);
        say_of_ports(&finding,
                     lacks_check ? "has no health check, and its ports wait for its health"
                                 : "is not healthy: nothing new is taken at its ports",
                     entry);
        result = tell(telling, &finding);
    }
    if (result == 0)
        result = tell_guests(telling, table, entry);
    if (result == 0)
        result = tell_idle_guests(telling, entry);
    if (result == 0)
        result = tell_unknown_label(telling, entry);
    if (!entry->fault.reason || result < 0)
        return result;
    finding = make(FINDING_PROBLEM, PROBLEM_LABEL_INVALID, entry->name);
    if (entry->fault.position)
        (void)snprintf(finding.reason, sizeof(finding.reason), "label %s, position %zu: %s", entry->fault.label,
                       entry->fault.position, entry->fault.reason);
    else
        (void)snprintf(finding.reason, sizeof(finding.reason), "label %s: %s", entry->fault.label, entry->fault.reason);
    return tell(telling, &finding);
}

static int tell_missing(struct telling *telling, const struct external_advice *external)
{
    struct wire_finding finding = make(FINDING_PROBLEM, external->missing, external->container);

    return external->missing == PROBLEM_NONE ? 0 : tell(telling, &finding);
}

static int tell_external(struct telling *telling, const struct external_advice *external)
{
    int result = tell_missing(telling, external);

    for (size_t i = 0; i < EXTERNAL_FAULT_COUNT_ && result == 0; i++) {
        struct wire_finding finding =
            make(FINDING_PROBLEM, external_fault_problem((enum external_fault)i), external->container);

        if (!external->is_given[i])
            continue;
        (void)snprintf(finding.reason, sizeof(finding.reason), "%s; %s", external_fault_message((enum external_fault)i),
                       external->remedies[i]);
        result = tell(telling, &finding);
    }
    if (external->ipv6[0] && result == 0) {
        struct wire_finding finding = make(FINDING_PROBLEM, external->ipv6_problem, external->container);

        text_copy_cut(finding.reason, sizeof(finding.reason), external->ipv6);
        result = tell(telling, &finding);
    }
    return result;
}

int findings_tell(const struct container_table *table, const struct exposure_result *computed,
                  const struct path_survey *survey, const struct watch_absence *absence,
                  const struct external_advice *external, finding_handler handler, void *userdata)
{
    struct telling telling = {.handler = handler, .userdata = userdata};
    size_t path_count;
    const struct path_finding *paths = path_survey_findings(survey, &path_count);
    const struct container_entry *entry, *next;
    int result = absence->since ? tell_absence(&telling, absence) : 0;

    if (result == 0)
        result = tell_refusal(&telling, table->refusal);
    if (result == 0)
        result = tell_external(&telling, external);
    for (size_t i = 0; i < ARRAY_LENGTH(table->odd) && result == 0; i++)
        result = table->odd[i].reason ? tell_odd(&telling, &table->odd[i]) : 0;
    for (size_t i = 0; i < computed->conflict_count && result == 0; i++)
        result = tell_conflict(&telling, table, &computed->conflicts[i]);
    for (size_t i = 0; i < computed->over_limit_count && result == 0; i++)
        result = tell_over_limit(&telling, table, computed->over_limit[i]);
    HASH_ITER (hh, table->entries, entry, next)
        result = result < 0 ? result : tell_faults(&telling, table, entry);
    for (size_t i = 0; i < path_count && result == 0; i++)
        result = tell_path(&telling, &paths[i]);
    for (size_t i = 0; i < computed->grant_count && result == 0; i++)
        result = computed->grants[i].source->is_withheld ? 0 : tell_grant(&telling, table, &computed->grants[i]);
    return result;
}
