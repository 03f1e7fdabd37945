/*
 * The journal of a recreation, in the old container's name (LIFE-7): what a keeper that comes later needs to finish it
 * or to take it back.
 *
 *     mail-imap-anchor-1.anchord-old-on-failure-5-running
 *
 * From the rename on the policy's name and count and the former state stand there, and all who look at the same
 * container make the same name of it: of two keepers only the first can rename. Pure, no privilege.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

#define RESTART_POLICY_SIZE 16 /* "unless-stopped", the longest, and its NUL */

struct restart_policy_record {
    char name[RESTART_POLICY_SIZE]; /* as Docker has it; never empty */
    uint32_t maximum_retries;       /* of on-failure, else 0 */
};

struct journal {
    char name[NAME_SIZE]; /* the container's own, which the new one has */
    struct restart_policy_record policy;
    bool was_running;
};

/* Writes the name that holds it. Returns 0 or -ENAMETOOLONG. */
int journal_format(const struct journal *journal, char ret[NAME_SIZE]) __attribute__((warn_unused_result));

/* Reads a container's name. Returns 0, or -ENOENT: it is an ordinary one. */
int journal_parse(const char *name, struct journal *ret) __attribute__((warn_unused_result));

/* Is it one of Docker's restart policies (API 1.41 … 1.52, RestartPolicy.Name)? */
bool journal_restart_policy_is_known(const char *name);

#define RESTART_POLICY_JSON_SIZE 64
/* As command_set_restart_policy() takes it. */
void journal_restart_policy_format(const struct restart_policy_record *policy, char ret[RESTART_POLICY_JSON_SIZE]);
