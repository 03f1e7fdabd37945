/*
 * What the watcher of an attached identity offered last, of which that counts which has its link now (HOST-4).
 *
 * Owned by netadmin.c inside anchord-netadmin; no privilege. The watcher hears of containers by Docker, netadmin of
 * links by the host half: neither waits for the other.
 */
#pragma once

#include "workers/netadmin/network.h"
#include "workers/netadmin/plan/map_state.h"

struct offered_state {
    struct desired_state state;
    bool is_there;
    char left_out[REASON_SIZE]; /* why something was, as last said */
};

void offered_state_clear(struct offered_state *offered);
/* Takes over what is offered from now on. */
void offered_state_take(struct offered_state *offered, const struct desired_state *state);

/*
 * Fills *ret, which is clear, with what of it the policy allows now, and says what is left out. Returns 1; 0 before
 * anything was offered or the links are known: what a predecessor left stays until it can be judged; or -ENOMEM.
 */
int offered_state_select(struct offered_state *offered, const struct network *network, struct desired_state *ret)
    __attribute__((warn_unused_result));
