/*
 * What became of each container's labels, as people read it: exposed, refused, malformed (SPEC §9, NAT-6, DISC-3).
 *
 * Called by watcher.c for control. Pure; no privilege.
 */
#pragma once

#include "workers/watcher/container_table.h"
#include "workers/watcher/exposures.h"

/* Fills *ret, which the caller frees, with at most FINDINGS_MAX findings. Returns 0 or -ENOMEM. */
int findings_collect(const struct container_table *table, const struct exposure_result *computed,
                     struct wire_finding **ret, size_t *ret_count) __attribute__((warn_unused_result));
