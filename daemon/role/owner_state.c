/* What the size of /etc/hosts says; see owner_state.h. Pure. */
#include "daemon/role/owner_state.h"

/* The shortest line that Docker can have removed, "1.1.1.1", a tab, a one-letter name and the end of the line. The text
 * of a new address may be shorter by less. */
#define SHORTEST_LINE 10

bool owner_state_look(struct owner_state *state, bool has_links, off_t size)
{
    bool was_started;

    if (has_links) {
        state->alive_size = size;
        state->lost_size = -1;
        return false;
    }
    /* It grew since it was stopped; or both happened before this look, and nothing is missing. */
    was_started = state->lost_size >= 0 ? size > state->lost_size
                                        : state->alive_size > 0 && size > state->alive_size - SHORTEST_LINE;
    state->lost_size = size;
    return was_started;
}
