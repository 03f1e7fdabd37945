/*
 * What the size of a shared /etc/hosts says about the namespace's owner (namespace_watch.h), as a pure function.
 *
 * Used by namespace_watch.c and its test; no privilege.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct owner_state {
    off_t alive_size; /* of the file while the namespace had links; 0: not seen */
    off_t lost_size;  /* at the last look since it has none; -1: none yet */
};

/* One look at the file when it has come to rest. Returns true when the owner was started again without us. */
bool owner_state_look(struct owner_state *state, bool has_links, off_t size);
