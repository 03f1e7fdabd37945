/*
 * The memory behind the metrics pages (protocol/metrics.h): one sealed memfd per writer.
 *
 * anchord-init makes it at its start, and every supervisor that it starts inherits it by descriptor number, so that
 * counters survive a supervisor; init never reads it. A supervisor without such an init makes its own. Used by both,
 * as root; the memory is root's, so that nobody who may read it can open it again for writing.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/messages.h"

/* Where a supervisor finds the pages: this number plus enum metrics_writer. */
#define METRICS_DESCRIPTOR_FIRST 16

/* For init: makes all pages at their numbers, kept over exec. A failure is said and costs counters their long life. */
void metrics_store_bequeath(void);

/*
 * For the supervisor, once: takes over what it inherited, makes what is missing, close-on-exec. Returns 0 or a
 * negative errno, then with no page at all.
 */
int metrics_store_open(void) __attribute__((warn_unused_result));

/* The writer's page, or -1 when there is none. The descriptor stays the store's. */
int metrics_store_page(enum metrics_writer writer);

/* The same memory, open for reading only. */
int metrics_store_view(enum metrics_writer writer);
