/*
 * Collects BEGIN, ITEMS …, COMMIT from the watcher into one complete desired state.
 *
 * Called by netadmin.c with messages that passed the protocol's gate; pure, no privilege. A state that was not
 * committed is worth nothing: a new BEGIN, or the end of the connection, drops it.
 */
#pragma once

#include "workers/netadmin/plan/map_state.h"

struct exposure_state {
    bool is_open; /* between BEGIN and COMMIT */
    uint64_t generation;
    uint32_t item_count;
    int error; /* the first reason to refuse this state at COMMIT, or 0 */
    char reason[REASON_SIZE];
    struct desired_state collected;
};

void exposure_state_clear(struct exposure_state *state);

void exposure_state_begin(struct exposure_state *state, uint64_t generation);

/*
 * Returns 0, also when the state will be refused at COMMIT (too many elements); -EPROTO when no state of this
 * generation is open: then the sender does not follow the protocol and its connection should end.
 */
int exposure_state_add(struct exposure_state *state, const struct message_exposures *message)
    __attribute__((warn_unused_result));

/* The same of lists and limits, which the watcher can only narrow exposures by. */
int exposure_state_add_guests(struct exposure_state *state, const struct message_guests *message)
    __attribute__((warn_unused_result));

/*
 * Ends the state. Returns 0 with the sorted maps in *ret (which must be clear); -EPROTO as above; or with
 * `reason` filled: -EBADMSG (another count than travelled), -E2BIG (above MAP_ELEMENTS_MAX), -EEXIST (a port
 * twice), -EINVAL (lists that the kernel would not take), -ENOMEM. Nothing of a refused state is left.
 */
int exposure_state_commit(struct exposure_state *state, const struct message_commit *message, struct desired_state *ret,
                          char reason[REASON_SIZE]) __attribute__((warn_unused_result));
