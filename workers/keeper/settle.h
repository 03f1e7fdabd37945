/*
 * When a network has settled: the containers of its own project are on it, and whoever joins now takes no address that
 * one of them was about to get (LIFE-5).
 *
 * Called by follow.c at each look. Pure; all times are monotonic microseconds. No privilege.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct settle {
    uint64_t begins;       /* the backoff is over then; 0: not begun */
    uint64_t steady_since; /* the number has not changed since then */
    uint32_t count;        /* of foreign endpoints, at the last look */
};

struct settle_times {
    uint64_t steady; /* for so long nothing may change */
    uint64_t limit;  /* after so long nobody is waited for any more */
};

enum settle_state {
    SETTLE_UNSETTLED,
    SETTLE_SETTLED,
    SETTLE_EXPIRED, /* the limit has passed, and it has not settled */
};

/* Forgets what was, and begins anew when `backoff` has passed. */
void settle_begin(struct settle *settle, uint64_t now, uint64_t backoff);

/* `count` endpoints are there now. *ret_next: when to look again, although nothing has happened; if it is unsettled. */
enum settle_state settle_look(struct settle *settle, const struct settle_times *times, uint64_t now, uint32_t count,
                              uint64_t *ret_next);
