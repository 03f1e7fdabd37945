/*
 * The pages as text: what /metrics and /readyz answer (SPEC §7, §8).
 *
 * Called by server.c in anchord-exporter, and by the unit tests; pure, no privilege. Reads nothing but counters: no
 * name, no address and no port of the inside can get into the text, because no page has room for one.
 */
#pragma once

#include "protocol/metrics.h"

#include <stdbool.h>

enum exposition {
    EXPOSITION_TEXT,        /* Prometheus text format 0.0.4 */
    EXPOSITION_OPENMETRICS, /* OpenMetrics 1.0.0 */
};

/* All series with the largest values fit; a unit test makes sure. */
#define EXPOSITION_SIZE (32768 + 3 * COUNTED_PORTS_MAX * 96)

struct metrics_view {
    const struct metrics_page *pages[METRICS_WRITER_MAX_]; /* NULL: nothing known, all 0 */
    uint64_t now;                                          /* CLOCK_BOOTTIME, microseconds */
};

/* Which one a client wants, by its header `Accept` (RFC 9110 §12.5.1); NULL: it sent none. */
enum exposition exposition_negotiate(const char *accept);

const char *exposition_content_type(enum exposition exposition);

/* Writes every series. Returns the length, or -ENOBUFS. */
int exposition_write_metrics(const struct metrics_view *view, enum exposition exposition, char *text, size_t size);

/* Writes `ready`, or a line for each condition that is not met. Returns whether all are. */
bool exposition_write_readiness(const struct metrics_page *supervisor, char *text, size_t size);
