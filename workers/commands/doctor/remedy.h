/*
 * The commands that bring the containers of a dead network namespace back (SPEC §9).
 *
 * Called by report.c. Pure, no privilege; nothing is run here.
 */
#pragma once

#include "workers/commands/doctor/findings.h"

struct remedy {
    char *command;    /* owned */
    const char *note; /* what to know before it is run, static; NULL: nothing */
};

struct remedies {
    struct remedy *list;
    size_t count;
};

/*
 * What mends all dependents of `owner`, in the order in which it is to be run:
 *
 *     docker compose -p mail --project-directory /srv/mail -f /srv/mail/compose.yaml
 *         up -d --no-deps --force-recreate web
 *     docker rm --force batch          its owner is gone, and Compose did not make it
 *     docker restart web batch         its owner was started again: the same container joins anew
 *
 * Returns 0 or -ENOMEM with nothing to release.
 */
int remedies_make(const struct owner_findings *owner, struct remedies *ret) __attribute__((warn_unused_result));
void remedies_release(struct remedies *remedies);
