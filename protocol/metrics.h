/*
 * Metrics: the one table of all series (SPEC §7), and the shared pages that their values stand in.
 *
 * Each process writes one page of its own, a sealed memfd that outlives it (daemon/supervise/metrics_store.h), and the
 * exporter reads all of them through descriptors that cannot be mapped for writing. A page is a header and an array of
 * 64-bit cells; every page has room for every series, so a series has one place, but only its writer's page counts. No
 * lock: one writer, single atomic cells, and what belongs together is derived from single cells (the count of a
 * histogram is the sum of its buckets).
 *
 * Writers: supervisor and workers, by metrics_add() and its like, with no privilege. Reader: anchord-exporter.
 */
#pragma once

#include "protocol/messages.h"
#include "protocol/refusals.h"

#include <stdatomic.h>

/* Memory that nobody touches costs nothing: of most pages that is all but the first 4 KiB. */
#define METRICS_PAGE_SIZE 40960
#define METRICS_CELLS_MAX 256

enum metric {
    METRIC_RECONCILE_DURATION,
    METRIC_RECONCILE,
    METRIC_DHCP_LEASE_REMAINING,
    METRIC_DHCP_ACQUIRED,
    METRIC_DHCP_CLIENT_RESTARTS,
    METRIC_DNAT_ENTRIES,
    METRIC_CONNTRACK_FLUSHES,
    METRIC_DOCKER_EVENTS,
    METRIC_GATEWAY_RESOLVE,
    METRIC_GATEWAY_ROUTE_REPLACES,
    METRIC_DEFAULT_ROUTE_PRESENT,
    METRIC_BUILD_INFO,
    METRIC_EVENT_TO_MAP,
    METRIC_PORT_CONFLICTS,
    METRIC_WORKER_RESTARTS,
    METRIC_RULESET_REPAIRS,
    METRIC_ADOPTED,
    METRIC_DEAD_NETNS_DEPENDENTS,
    METRIC_REBINDS,
    METRIC_DOCKER_REACHABLE,
    METRIC_PORT_FLOWS, /* of exposed ports, which have places of their own on the page: see metrics_port */
    METRIC_PORT_PACKETS,
    METRIC_PORT_BYTES,
    METRIC_REFUSED, /* by enum refusal_reason */
    METRIC_PROBLEM, /* by enum problem_told */
    METRIC_PROCESS_CPU,
    METRIC_PROCESS_RESIDENT_MEMORY,
    METRIC_PROCESS_OPEN_FDS,
    METRIC_PROCESS_START_TIME,
    METRIC_MAX_,
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* What a cell holds and how it is shown. */
enum metric_unit {
    METRIC_UNIT_NONE,
    METRIC_UNIT_BYTES,
    METRIC_UNIT_SECONDS,  /* cells in microseconds */
    METRIC_UNIT_DEADLINE, /* cells in microseconds of CLOCK_BOOTTIME; shown as the seconds that are left, or 0 */
    METRIC_UNIT_KNOWN,    /* cells hold one more than the value; 0: it is not known, and there is no sample */
};

struct metric_label {
    const char *name;
    const char *const *values;
    size_t count;
};

#define METRIC_LABELS_MAX 2

struct metric_definition {
    const char *name; /* as SPEC §7 writes it */
    const char *help;
    enum metric_type type;
    enum metric_unit unit;
    enum metrics_writer writer;   /* METRICS_WRITER_MAX_: every process, told apart by the label `worker` */
    enum metrics_writer stand_in; /* who writes it in a role without the writer, or METRICS_WRITER_MAX_ */
    const struct metric_label *labels[METRIC_LABELS_MAX];
};

/* Positions within a series' cells, in the order of the labels' values; families and protocols as in messages.h. */
enum { METRIC_OK, METRIC_ERROR };
enum { METRIC_SOURCE_EVENT, METRIC_SOURCE_POLL };

/* Upper bounds of the buckets of every histogram, in microseconds; one more bucket holds what is above the last. */
#define METRIC_BUCKET_BOUNDS_COUNT 13
extern const uint64_t metric_bucket_bounds[METRIC_BUCKET_BOUNDS_COUNT];
/* A histogram's cells: each bucket for itself, not cumulative, the one above all bounds, the sum in microseconds. */
#define METRIC_HISTOGRAM_SUM   (METRIC_BUCKET_BOUNDS_COUNT + 1)
#define METRIC_HISTOGRAM_CELLS (METRIC_BUCKET_BOUNDS_COUNT + 2)

/* Whether its samples are one for each exposed port, as they stand on the page. */
bool metric_is_of_ports(enum metric metric);

const struct metric_definition *metric_definition(enum metric metric);

/* Values of the label `reason`. */
const char *metrics_refusal_to_string(enum refusal_reason refusal);
/* Values of the label `worker`: "supervisor", "watcher" … */
const char *metrics_writer_to_string(enum metrics_writer writer);

/* What went through an exposed port or range (SEE-4); the label `proto` by PROTOCOL_INDEX_…. */
struct metrics_port {
    uint16_t first;
    uint16_t last;
    uint32_t protocol;
    uint64_t flows;
    uint64_t packets;
    uint64_t bytes;
};

struct metrics_page {
    uint32_t magic;
    uint32_t version; /* of the layout */
    uint32_t writer;  /* enum metrics_writer */
    uint32_t cell_count;
    _Atomic uint64_t readiness; /* supervisor: enum readiness_condition, required << 32 | held */
    _Atomic uint64_t cells[METRICS_CELLS_MAX];
    _Atomic uint32_t ports_version; /* odd while `ports` is being written */
    _Atomic uint32_t port_count;
    struct metrics_port ports[COUNTED_PORTS_MAX]; /* netadmin */
};
static_assert(sizeof(struct metrics_page) <= METRICS_PAGE_SIZE, "a page fits into its memory");

/* --- writing: the calling process' own page ------------------------------------------------------------- */

/*
 * Maps `descriptor`, which it owns from now on, as this process' page; before that nothing is counted. A new page gets
 * its header, one of the same layout keeps its values, another one is cleared. Returns 0 or mmap(2)'s negative errno.
 */
int metrics_open(int descriptor, enum metrics_writer writer) __attribute__((warn_unused_result));

/* A worker's answer to METRICS_PAGE: takes the descriptor over. A failure is said here, the same for all: it costs the
 * worker's numbers, nothing else. */
void metrics_accept(const struct message_header *message, int descriptor);

/* `cell` counts from 0 within the metric. Without a page these do nothing. */
void metrics_add(enum metric metric, size_t cell, uint64_t amount);
void metrics_set(enum metric metric, size_t cell, uint64_t value);
/* Adds one observation to a histogram. */
void metrics_observe(enum metric metric, uint64_t microseconds);

/* All of them, at most COUNTED_PORTS_MAX. */
void metrics_set_ports(const struct metrics_port *ports, size_t count);
/* What this page has, from a predecessor; 0 without one. */
uint64_t metrics_own(enum metric metric, size_t cell);
size_t metrics_own_ports(struct metrics_port ret[COUNTED_PORTS_MAX]);

/* The supervisor's view of /readyz (SPEC §8): masks of enum readiness_condition. */
void metrics_set_readiness(uint32_t required, uint32_t held);

/* Renews this process' process_* values. */
void metrics_report_process(void);

/* The cell of a metric with two labels of two values each. */
static inline size_t metric_cell(size_t first, size_t second)
{
    return first * 2 + second;
}

/* --- reading: the exporter ------------------------------------------------------------------------------ */

/*
 * Maps `descriptor`, which it owns from now on, for reading. Returns 0 with a page that stays mapped; -EBADF when it is
 * not `writer`'s page of this layout, or another negative errno.
 */
int metrics_map(int descriptor, enum metrics_writer writer, const struct metrics_page **ret)
    __attribute__((warn_unused_result));

/* Returns how many stand in `ret`; 0 also while the writer has died in the middle. */
size_t metrics_read_ports(const struct metrics_page *page, struct metrics_port ret[COUNTED_PORTS_MAX]);

uint64_t metrics_read(const struct metrics_page *page, enum metric metric, size_t cell);
