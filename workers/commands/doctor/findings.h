/*
 * What a survey of the host has found: who is pinned to a dead network namespace, by the owner of that.
 *
 * Filled by survey.c, read by remedy.c and report.c. Pure, no privilege.
 */
#pragma once

#include "workers/commands/doctor/container.h"

/* All containers of one owner share its fate: what of them is alive is not here. */
struct owner_findings {
    char reference[NAME_SIZE]; /* as its dependents name it */
    struct container *owner;   /* NULL: there is none */
    enum namespace_fate fate;  /* of the dependents; NAMESPACE_ALIVE: there are none here */
    struct container *dependents;
    size_t dependent_count;
};

/* A container that could not be looked at, and why. */
struct unread_container {
    char name[NAME_SIZE];
    char reason[256];
};

struct findings {
    struct owner_findings *owners;
    size_t owner_count;
    size_t dependent_count; /* of all owners */
    struct unread_container *unread;
    size_t unread_count;
    size_t examined_count; /* containers that live in others' namespaces */
};

void findings_release(struct findings *findings);

/* The owner that `reference` names, or NULL. Valid until the next one is added. */
struct owner_findings *findings_find_owner(struct findings *findings, const char *reference);

/* Adds the owner; `owner` may be NULL. Returns 0 or -ENOMEM. */
int findings_add_owner(struct findings *findings, const char *reference, const struct container *owner)
    __attribute__((warn_unused_result));

/* Adds a dependent of `owner` that container_judge() does not find alive. Returns 0 or -ENOMEM. */
int findings_add(struct findings *findings, struct owner_findings *owner, const struct container *dependent,
                 enum namespace_fate fate) __attribute__((warn_unused_result));

int findings_add_unread(struct findings *findings, const char *name, const char *reason)
    __attribute__((warn_unused_result));
