/*
 * The managed service-anchors that a network-anchor has (LIFE-2), and who was pinned to those that it replaced
 * (LIFE-3).
 *
 * Filled by keeper.c from the supervisor's messages, asked by look.c and the repairs. Pure, no privilege.
 */
#pragma once

#include "protocol/managed_target.h"
#include "workers/docker/records.h"

struct managed {
    struct managed_target configured;
    bool is_compared;                 /* with our own container, which happens once */
    bool is_seen;                     /* in this look */
    char last_id[DOCKER_ID_SIZE];     /* of the container when it was last seen; empty: never */
    char replaced_id[DOCKER_ID_SIZE]; /* whom that one was created in place of; empty: nobody that we know of */
};

struct managed_set {
    bool repairs_dependents; /* LIFE-3 */
    size_t count;
    struct managed items[MANAGED_TARGETS_MAX];
};

/* Adds one. Returns 0, or -ENOSPC, or -EEXIST: the name is another one's already. */
int managed_set_add(struct managed_set *set, const struct managed_target *configured, bool is_compared)
    __attribute__((warn_unused_result));

/* Whose container is called `name`? NULL: nobody's. */
struct managed *managed_set_find(struct managed_set *set, const char *name);

/* Whose predecessor had this ID? NULL: nobody's, or LIFE-3 is switched off. */
struct managed *managed_set_find_replaced(struct managed_set *set, const char *id);
