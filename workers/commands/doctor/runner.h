/*
 * Runs the checks that are wanted, each in a process of its own and all at once, and brings their answers into order.
 *
 * Called by main.c, as whoever typed the command: reads records of one size from the checks, nothing else.
 */
#pragma once

#include "workers/commands/doctor/options.h"

struct report {
    struct answer *list; /* in the order of the table, then of the anchors */
    size_t count, capacity;
    size_t suppressed; /* of what was found, and is not in the list */
    uint64_t milliseconds;
};

void report_release(struct report *report);

/* Returns 0 or a negative errno; the caller releases what is there. */
int runner_run(const struct scene *scene, const struct options *options, struct report *ret)
    __attribute__((warn_unused_result));
