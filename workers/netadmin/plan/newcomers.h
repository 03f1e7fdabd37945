/*
 * Which backends a change of the maps brings that no element named before, as a pure function. Its cost is that of
 * sorting, however many there are (WALL-6).
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect.
 */
#pragma once

#include "workers/netadmin/plan/map_difference.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sorted, each once. Zero is empty. */
struct backend_list {
    uint8_t (*items)[16]; /* as in struct map_element */
    size_t count;
};

void backend_list_clear(struct backend_list *list);
bool backend_list_contains(const struct backend_list *list, const uint8_t backend[16]);

/*
 * The backends of one family that `difference` adds and `before` does not name. *ret must be empty and is the caller's
 * to clear. Returns 0, or -ENOMEM with *ret empty.
 */
int newcomers_list(const struct map_state *before, const struct map_state_difference *difference, size_t family_index,
                   struct backend_list *ret) __attribute__((warn_unused_result));
