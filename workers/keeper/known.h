/*
 * Whom the last list told of: a container's ID by its name, or by the beginning of its ID (LIFE-1). Docker stores a
 * whole ID where it knows the container that another one is to join, and what it was given where it does not.
 *
 * Called by look.c. Pure, no privilege.
 */
#pragma once

#include "workers/docker/records.h"

struct known_container {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
};

struct known {
    struct known_container *containers;
    size_t count;
    size_t capacity;
};

/* Returns 0 or -ENOMEM. */
int known_add(struct known *known, const char *id, const char *name) __attribute__((warn_unused_result));

/* The ID of whom `reference` names, or NULL. A name goes before the beginning of an ID, as Docker has it. */
const char *known_find(const struct known *known, const char *reference);

void known_release(struct known *known);
