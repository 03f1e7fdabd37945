/*
 * What a network-anchor does about a container of its scope that lives in another one's network namespace, or is to
 * (LIFE-1, LIFE-4). Nothing that runs is touched: it starts, and tells.
 *
 * Called by dependents.c with what Docker says of both. Pure, no privilege.
 */
#pragma once

#include "workers/keeper/inspection.h"
#include "workers/keeper/memory.h"

enum sibling_action {
    SIBLING_LEAVE,
    SIBLING_UNKNOWN, /* nobody can tell: when they were started proves nothing */
    SIBLING_LATER,   /* something is wrong, but only just: Compose or the service-anchor itself may be at it */
    SIBLING_START,
    SIBLING_REPORT,
};

#define SIBLING_COMMAND_SIZE 320

struct sibling_verdict {
    enum sibling_action action;
    uint64_t time;                      /* of LATER: when to look again, monotonic microseconds */
    char command[SIBLING_COMMAND_SIZE]; /* of REPORT: what repairs it */
};

/*
 * `target`: what Docker finds by `sibling->joined`, or NULL. `may_start`: ANCHORD_AUTOSTART_SIBLINGS. `order`: of
 * their starts, when both run. `entry` keeps
 * since when something is wrong; `now` in monotonic microseconds.
 */
void sibling_judge(struct memory_entry *entry, const struct inspection *sibling, const struct inspection *target,
                   bool may_start, enum start_order order, uint64_t now, struct sibling_verdict *ret);

/* What a person types to have the container created anew in the namespace that its target has now. */
void sibling_recreate_command(const struct inspection *sibling, char ret[SIBLING_COMMAND_SIZE]);
