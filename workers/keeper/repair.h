/*
 * What a container that lives in another one's network namespace needs (LIFE-1, LIFE-6).
 *
 * Called by dependents.c with what Docker says of both. Pure, no privilege.
 */
#pragma once

#include "workers/keeper/start_order.h"

enum repair {
    REPAIR_NONE,
    REPAIR_UNKNOWN,  /* nobody can tell: when they were started proves nothing */
    REPAIR_WAIT,     /* its target is not there, or does not run */
    REPAIR_START,    /* it is there and was not started, or could not be */
    REPAIR_RESTART,  /* its target was started after it: same ID, another namespace */
    REPAIR_RECREATE, /* its target has another ID: Docker keeps the old one with the container */
};

/*
 * `target`: the container that its namespace should be, or NULL when there is none; `order`: of their starts, when it
 * has the ID that the dependent joined and both run.
 */
enum repair repair_choose(const struct inspection *dependent, const struct inspection *target, enum start_order order);
