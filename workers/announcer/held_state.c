/* The state HELD collected; see held_state.h. Pure; runs in anchord-announcer and its tests. */
#include "workers/announcer/held_state.h"

#include <errno.h>

void held_state_begin(struct held_state *state, uint64_t generation)
{
    state->is_open = true;
    state->generation = generation;
    state->travelled = 0;
    state->count = 0;
}

int held_state_add(struct held_state *state, const struct message_held *message)
{
    if (!state->is_open || message->header.generation != state->generation)
        return -EPROTO;
    for (uint32_t i = 0; i < message->item_count && state->count < HELD_MAX; i++)
        state->items[state->count++] = message->items[i];
    state->travelled += message->item_count;
    return 0;
}

int held_state_commit(struct held_state *state, const struct message_commit *message)
{
    bool is_complete =
        state->is_open && message->header.generation == state->generation && message->item_count == state->travelled;

    state->is_open = false;
    return is_complete ? 0 : -EPROTO;
}
