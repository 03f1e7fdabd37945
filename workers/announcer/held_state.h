/*
 * The addresses that we hold, as netadmin sends them: BEGIN, ITEMS …, COMMIT.
 *
 * Used by announcer.c; no privilege, no side effect. Collects what travels until COMMIT; a half state is never seen.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

struct held_state {
    bool is_open; /* BEGIN came, COMMIT not yet */
    uint64_t generation;
    uint32_t travelled; /* items since BEGIN */
    size_t count;
    struct wire_held items[HELD_MAX]; /* what is more is counted and dropped */
};

/* Drops a half state and begins a new one. */
void held_state_begin(struct held_state *state, uint64_t generation);

/* Returns 0 or -EPROTO: no BEGIN of this generation came before. */
int held_state_add(struct held_state *state, const struct message_held *message) __attribute__((warn_unused_result));

/*
 * Returns 0: `items` and `count` are the complete state until the next BEGIN. -EPROTO: no BEGIN, another generation
 * or another number of items; the half state is dropped.
 */
int held_state_commit(struct held_state *state, const struct message_commit *message)
    __attribute__((warn_unused_result));
