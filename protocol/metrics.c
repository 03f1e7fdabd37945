/* The table of all series and the pages; see metrics.h. Runs in every process, needs no privilege. */
#include "protocol/metrics.h"

#include "build_information.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/process_usage.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_MAGIC   UINT32_C(0x616e6d70) /* "anmp" */
#define PAGE_VERSION UINT32_C(4)

/* From half a millisecond, the goal, to the five seconds that are promised (DISC-6). */
const uint64_t metric_bucket_bounds[METRIC_BUCKET_BOUNDS_COUNT] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
};

static const char *const writer_names[] = {
    [METRICS_WRITER_SUPERVISOR] = "supervisor",
    [METRICS_WRITER_WATCHER] = "watcher",
    [METRICS_WRITER_NETADMIN] = "netadmin",
    [METRICS_WRITER_ANNOUNCER] = "announcer",
    [METRICS_WRITER_RESOLVER] = "resolver",
    [METRICS_WRITER_CONTROL] = "control",
    [METRICS_WRITER_EXPORTER] = "exporter",
    [METRICS_WRITER_KEEPER] = "keeper",
    [METRICS_WRITER_GATE] = "gate",
    [METRICS_WRITER_WAY] = "way",
    [METRICS_WRITER_BANS] = "bans",
};
static_assert(ARRAY_LENGTH(writer_names) == METRICS_WRITER_MAX_, "every writer has a name");

static const char *const family_values[] = {[FAMILY_INDEX_4] = "v4", [FAMILY_INDEX_6] = "v6"};
static const char *const protocol_values[] = {[PROTOCOL_INDEX_TCP] = "tcp", [PROTOCOL_INDEX_UDP] = "udp"};
static const char *const result_values[] = {[METRIC_OK] = "ok", [METRIC_ERROR] = "error"};
static const char *const source_values[] = {[METRIC_SOURCE_EVENT] = "event", [METRIC_SOURCE_POLL] = "poll"};
static const char *const refusal_values[] = {
    [REFUSAL_CLOSED] = "closed",       [REFUSAL_LIST] = "list",
    [REFUSAL_LIMIT] = "limit",         [REFUSAL_BAN] = "ban",
    [REFUSAL_FORGED] = "forged",       [REFUSAL_STRAY] = "stray",
    [REFUSAL_ISOLATION] = "isolation", [REFUSAL_EGRESS] = "egress",
};
static_assert(ARRAY_LENGTH(refusal_values) == REFUSAL_MAX_, "every reason has a name");
static const char *const version_values[] = {ANCHORD_VERSION};
static const char *const commit_values[] = {ANCHORD_COMMIT};

#define PROBLEM(name_, number_, severity_, teller_, parent_, visible_after_, title_, remedy_) "ANC0" #number_,
#define CHECKED(name_, number_, severity_, parent_, visible_after_, title_, remedy_)
static const char *const code_values[] = {
#include "protocol/problem_list.h"
};
#undef PROBLEM

#define LABEL(variable_, name_, values_)           \
    static const struct metric_label variable_ = { \
        .name = (name_),                           \
        .values = (values_),                       \
        .count = ARRAY_LENGTH(values_),            \
    }
LABEL(family, "family", family_values);
LABEL(protocol, "proto", protocol_values);
/* Its values are the exposed ports, of which no cell is kept. */
static const struct metric_label port = {.name = "port"};
LABEL(reason, "reason", refusal_values);
LABEL(outcome, "outcome", result_values);
LABEL(result_label, "result", result_values);
LABEL(source, "source", source_values);
LABEL(version, "version", version_values);
LABEL(commit, "commit", commit_values);
LABEL(worker, "worker", writer_names);
LABEL(code, "code", code_values); /* what running processes tell; see CHECKED() */

#define DEFINE_OF_TWO(metric_, name_, type_, unit_, writer_, stand_in_, first_, second_, help_) \
    [METRIC_##metric_] = {                                                                      \
        (name_),                                                                                \
        (help_),                                                                                \
        METRIC_##type_,                                                                         \
        METRIC_UNIT_##unit_,                                                                    \
        METRICS_WRITER_##writer_,                                                               \
        METRICS_WRITER_##stand_in_,                                                             \
        {first_, second_},                                                                      \
    }
#define DEFINE(metric_, name_, type_, unit_, writer_, first_, second_, help_) \
    DEFINE_OF_TWO(metric_, name_, type_, unit_, writer_, MAX_, first_, second_, help_)

static const struct metric_definition definitions[] = {
    DEFINE(RECONCILE_DURATION, "anchord_reconcile_duration_seconds", HISTOGRAM, SECONDS, WATCHER, NULL, NULL,
           "From a desired state being sent to netadmin to its answer."),
    DEFINE(RECONCILE, "anchord_reconcile_total", COUNTER, NONE, WATCHER, &result_label, NULL,
           "Desired states that netadmin answered."),
    DEFINE(DHCP_LEASE_REMAINING, "anchord_dhcp_lease_remaining_seconds", GAUGE, DEADLINE, SUPERVISOR, &family, NULL,
           "Time that is left of the lease; 0 without one."),
    DEFINE(DHCP_ACQUIRED, "anchord_dhcp_acquired_total", COUNTER, NONE, SUPERVISOR, &family, &outcome,
           "Attempts to get or renew a lease."),
    DEFINE(DHCP_CLIENT_RESTARTS, "anchord_dhcp_client_restarts_total", COUNTER, NONE, SUPERVISOR, &family, NULL,
           "Restarts of the DHCP client."),
    DEFINE(DNAT_ENTRIES, "anchord_dnat_entries", GAUGE, NONE, NETADMIN, &family, &protocol,
           "Elements of the maps from port to backend."),
    DEFINE(CONNTRACK_FLUSHES, "anchord_conntrack_flushes_total", COUNTER, NONE, NETADMIN, &family, NULL,
           "Flows dropped because their backend or external address went."),
    DEFINE(DOCKER_EVENTS, "anchord_docker_events_total", COUNTER, NONE, WATCHER, &source, NULL,
           "Reasons to look at Docker's containers: an event of one in scope, or a poll."),
    DEFINE(GATEWAY_RESOLVE, "anchord_gateway_resolve_total", COUNTER, NONE, RESOLVER, &family, &outcome,
           "Look-ups of the gateway's host name."),
    DEFINE_OF_TWO(GATEWAY_ROUTE_REPLACES, "anchord_gateway_route_replaces_total", COUNTER, NONE, NETADMIN, WAY, &family,
                  NULL, "Changes of the route that leads to the gateway, once each."),
    DEFINE_OF_TWO(DEFAULT_ROUTE_PRESENT, "anchord_default_route_present", GAUGE, NONE, NETADMIN, WAY, &family, NULL,
                  "1 while a default route of anchord's is installed."),
    DEFINE(BUILD_INFO, "anchord_build_info", GAUGE, NONE, SUPERVISOR, &version, &commit, "Always 1; what was built."),
    DEFINE(EVENT_TO_MAP, "anchord_event_to_map_seconds", HISTOGRAM, SECONDS, WATCHER, NULL, NULL,
           "From Docker's time of an event to the commit of what follows from it."),
    DEFINE(PORT_CONFLICTS, "anchord_port_conflicts", GAUGE, NONE, WATCHER, NULL, NULL,
           "Port ranges that a container exposes and another one has."),
    DEFINE(WORKER_RESTARTS, "anchord_worker_restarts_total", COUNTER, NONE, SUPERVISOR, &worker, NULL,
           "Restarts of a worker that died."),
    DEFINE(RULESET_REPAIRS, "anchord_ruleset_repairs_total", COUNTER, NONE, NETADMIN, &family, NULL,
           "Repairs of nftables tables that somebody else changed."),
    DEFINE(ADOPTED, "anchord_adopted_total", COUNTER, NONE, NETADMIN, &family, NULL,
           "Tables of a predecessor that were adopted."),
    DEFINE(DEAD_NETNS_DEPENDENTS, "anchord_dead_netns_dependents", GAUGE, NONE, KEEPER, NULL, NULL,
           "Containers pinned to a network namespace that has gone."),
    DEFINE(REBINDS, "anchord_rebinds_total", COUNTER, NONE, KEEPER, &result_label, NULL,
           "Containers attached again to what they follow."),
    DEFINE(DOCKER_REACHABLE, "anchord_docker_reachable", GAUGE, NONE, SUPERVISOR, NULL, NULL,
           "1 while Docker can be read."),
    DEFINE(PORT_FLOWS, "anchord_port_flows_total", COUNTER, NONE, NETADMIN, &protocol, &port,
           "New flows to an exposed port or range."),
    DEFINE(PORT_PACKETS, "anchord_port_packets_total", COUNTER, NONE, NETADMIN, &protocol, &port,
           "Packets through an exposed port or range, in both directions."),
    DEFINE(PORT_BYTES, "anchord_port_bytes_total", COUNTER, BYTES, NETADMIN, &protocol, &port,
           "Bytes of these packets, with their IP headers."),
    DEFINE(REFUSED, "anchord_refused_total", COUNTER, NONE, NETADMIN, &reason, NULL,
           "Packets that were refused, by reason; see docs/operations.md."),
    DEFINE(PROBLEM, "anchord_problem", GAUGE, KNOWN, CONTROL, &code, NULL,
           "Problems of this code that hold: containers, addresses or workers; see docs/problems.md."),
    DEFINE(PROCESS_CPU, "process_cpu_seconds_total", COUNTER, SECONDS, MAX_, &worker, NULL,
           "User and system time of the process."),
    DEFINE(PROCESS_RESIDENT_MEMORY, "process_resident_memory_bytes", GAUGE, BYTES, MAX_, &worker, NULL,
           "Resident memory of the process, shared pages included."),
    DEFINE(PROCESS_OPEN_FDS, "process_open_fds", GAUGE, NONE, MAX_, &worker, NULL,
           "Open file descriptors of the process."),
    DEFINE(PROCESS_START_TIME, "process_start_time_seconds", GAUGE, SECONDS, MAX_, &worker, NULL,
           "Start of the process since 1970."),
};
static_assert(ARRAY_LENGTH(definitions) == METRIC_MAX_, "every metric has a definition");

const struct metric_definition *metric_definition(enum metric metric)
{
    return &definitions[metric];
}

const char *metrics_refusal_to_string(enum refusal_reason refusal)
{
    return refusal_values[refusal];
}

const char *metrics_writer_to_string(enum metrics_writer writer)
{
    return writer_names[writer];
}

/* Of a process' own metric in its own page there is one. */
static size_t count_cells(const struct metric_definition *definition)
{
    size_t count = definition->type == METRIC_HISTOGRAM ? METRIC_HISTOGRAM_CELLS : 1;

    if (definition->writer == METRICS_WRITER_MAX_)
        return count;
    for (size_t i = 0; i < METRIC_LABELS_MAX && definition->labels[i]; i++)
        count *= definition->labels[i]->count;
    return count;
}

bool metric_is_of_ports(enum metric metric)
{
    return definitions[metric].labels[1] == &port;
}

static size_t first_cell(enum metric metric)
{
    size_t first = 0;

    for (size_t i = 0; i < (size_t)metric; i++)
        first += count_cells(&definitions[i]);
    return first;
}

/* --- pages ---------------------------------------------------------------------------------------------- */

static bool is_page_of(const struct metrics_page *page, enum metrics_writer writer)
{
    return page->magic == PAGE_MAGIC && page->version == PAGE_VERSION && page->writer == writer &&
           page->cell_count == first_cell(METRIC_MAX_);
}

/* The supervisor has made sure of the memory's size and seals (daemon/supervise/metrics_store.h): a mapping cannot
 * fault. */
/* NULL: errno says why. */
static struct metrics_page *map_page(int descriptor, int protection)
{
    void *memory = mmap(NULL, METRICS_PAGE_SIZE, protection, MAP_SHARED, descriptor, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

/* --- writing -------------------------------------------------------------------------------------------- */

static struct metrics_page *own_page;

int metrics_open(int descriptor, enum metrics_writer writer)
{
    CLEANUP_FD int owned = descriptor;
    struct metrics_page *page = map_page(owned, PROT_READ | PROT_WRITE);

    if (!page)
        return -errno;
    if (!is_page_of(page, writer)) {
        memset(page, 0, offsetof(struct metrics_page, ports)); /* behind it nothing counts without port_count */
        page->magic = PAGE_MAGIC;
        page->version = PAGE_VERSION;
        page->writer = writer;
        page->cell_count = (uint32_t)first_cell(METRIC_MAX_);
    }
    if (own_page)
        (void)munmap(own_page, METRICS_PAGE_SIZE); /* a mapping that map_page() made */
    own_page = page;
    return 0;
}

void metrics_accept(const struct message_header *message, int descriptor)
{
    int result = metrics_open(descriptor, (enum metrics_writer)((const struct message_metrics_page *)message)->writer);

    if (result < 0)
        log_error("nothing is counted: the metrics page cannot be mapped", LOG_ERROR(result));
    process_usage_prepare();
    metrics_report_process();
}

void metrics_set(enum metric metric, size_t cell, uint64_t value)
{
    if (own_page)
        atomic_store_explicit(&own_page->cells[first_cell(metric) + cell], value, memory_order_relaxed);
}

void metrics_set_ports(const struct metrics_port *ports, size_t count)
{
    if (!own_page)
        return;
    (void)atomic_fetch_or_explicit(&own_page->ports_version, 1, memory_order_acq_rel);
    atomic_thread_fence(memory_order_seq_cst);
    if (count > 0)
        memcpy(own_page->ports, ports, count * sizeof(*ports));
    atomic_store_explicit(&own_page->port_count, (uint32_t)count, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&own_page->ports_version, 1, memory_order_release);
}

uint64_t metrics_own(enum metric metric, size_t cell)
{
    return own_page ? metrics_read(own_page, metric, cell) : 0;
}

size_t metrics_own_ports(struct metrics_port ret[COUNTED_PORTS_MAX])
{
    return own_page ? metrics_read_ports(own_page, ret) : 0;
}

void metrics_add(enum metric metric, size_t cell, uint64_t amount)
{
    if (own_page)
        (void)atomic_fetch_add_explicit(&own_page->cells[first_cell(metric) + cell], amount, memory_order_relaxed);
}

void metrics_observe(enum metric metric, uint64_t microseconds)
{
    size_t bucket = 0;

    while (bucket < METRIC_BUCKET_BOUNDS_COUNT && microseconds > metric_bucket_bounds[bucket])
        bucket++;
    metrics_add(metric, bucket, 1);
    metrics_add(metric, METRIC_HISTOGRAM_SUM, microseconds);
}

void metrics_set_readiness(uint32_t required, uint32_t held)
{
    if (own_page)
        atomic_store_explicit(&own_page->readiness, (uint64_t)required << 32 | held, memory_order_release);
}

void metrics_report_process(void)
{
    struct process_usage usage;

    if (!own_page)
        return;
    process_usage_read(&usage);
    metrics_set(METRIC_PROCESS_CPU, 0, usage.cpu_microseconds);
    metrics_set(METRIC_PROCESS_RESIDENT_MEMORY, 0, usage.resident_bytes);
    metrics_set(METRIC_PROCESS_OPEN_FDS, 0, usage.open_files);
    metrics_set(METRIC_PROCESS_START_TIME, 0, usage.start_microseconds);
}

/* --- reading -------------------------------------------------------------------------------------------- */

int metrics_map(int descriptor, enum metrics_writer writer, const struct metrics_page **ret)
{
    CLEANUP_FD int owned = descriptor;
    struct metrics_page *page = map_page(owned, PROT_READ);

    if (!page)
        return -errno;
    if (!is_page_of(page, writer)) {
        (void)munmap(page, METRICS_PAGE_SIZE);
        return -EBADF;
    }
    *ret = page;
    return 0;
}

uint64_t metrics_read(const struct metrics_page *page, enum metric metric, size_t cell)
{
    return atomic_load_explicit(&page->cells[first_cell(metric) + cell], memory_order_relaxed);
}

/* The writer needs microseconds; it may have died meanwhile. */
#define READ_ATTEMPTS 1000

size_t metrics_read_ports(const struct metrics_page *page, struct metrics_port ret[COUNTED_PORTS_MAX])
{
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        uint32_t before = atomic_load_explicit(&page->ports_version, memory_order_acquire);
        size_t count = atomic_load_explicit(&page->port_count, memory_order_relaxed);

        if (before & 1 || count > COUNTED_PORTS_MAX)
            continue;
        if (count > 0)
            memcpy(ret, page->ports, count * sizeof(*ret));
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&page->ports_version, memory_order_relaxed) == before)
            return count;
    }
    return 0;
}
