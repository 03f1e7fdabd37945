/*
 * Was a container started before the one whose network namespace it is in, which then has another one?
 *
 * Called by dependents.c. Docker tells when each was started, by a clock that may have been set back meanwhile: what
 * the keeper has done or seen itself goes before times, and a time in the future proves nothing. Pure, no privilege.
 */
#pragma once

#include "workers/keeper/inspection.h"

enum start_order {
    START_ORDER_WELL,
    START_ORDER_DEAD,    /* its target was started after it: the same ID, another namespace */
    START_ORDER_UNKNOWN, /* the times prove nothing */
};

/* What is remembered of one container and its target; all zero: nothing. Times are Docker's StartedAt. */
struct start_record {
    uint64_t own;     /* at the last look */
    uint64_t target;  /* at the last look */
    uint64_t joined;  /* the target's when the keeper itself started the container; 0: never */
    bool is_outlived; /* the target was started while the container went on: seen */
    uint64_t own_odd; /* a pair of which one was in the future when it was seen */
    uint64_t target_odd;
};

/* `now`: nanoseconds since 1970. Both run, and `target` has the ID or name that `dependent` joined. */
enum start_order start_order_judge(struct start_record *record, const struct inspection *dependent,
                                   const struct inspection *target, uint64_t now);

/* The keeper has started the container while its target had been started at `target_started`. */
void start_order_note_joined(struct start_record *record, uint64_t target_started);
