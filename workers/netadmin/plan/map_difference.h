/*
 * The difference between what a map holds and what it is to hold (NAT-3): the content of one transaction.
 *
 * Used by the ruleset half of anchord-netadmin. Pure: no system call, no privilege.
 */
#pragma once

#include "workers/netadmin/plan/map_state.h"

/*
 * Sorted by port. A port whose backend changes stands in both: the kernel has no update in place, so its old
 * element is deleted and the new one added in the same transaction, which leaves no moment without a value.
 */
struct map_difference {
    struct map removed; /* the old elements: delete these */
    struct map added;   /* the new elements: add these */
};

/* Both maps sorted, without duplicates; *ret must be clear. Returns 0, or -ENOMEM with *ret clear. */
int map_difference_compute(const struct map *have, const struct map *want, struct map_difference *ret)
    __attribute__((warn_unused_result));
void map_difference_clear(struct map_difference *difference);
bool map_difference_is_empty(const struct map_difference *difference);

/* Of the ports alone: a port whose backend changes is in neither. As map_difference_compute(). */
int map_difference_of_ports(const struct map_difference *difference, struct map_difference *ret)
    __attribute__((warn_unused_result));

/* The same over all four maps. */
struct map_state_difference {
    union {
        struct map_difference maps[FAMILY_INDEX_MAX_][PROTOCOL_INDEX_MAX_];
        struct map_difference all[MAPS_MAX];
    };
};

int map_state_difference_compute(const struct map_state *have, const struct map_state *want,
                                 struct map_state_difference *ret) __attribute__((warn_unused_result));
void map_state_difference_clear(struct map_state_difference *difference);
bool map_state_difference_is_empty(const struct map_state_difference *difference);
