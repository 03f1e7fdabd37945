/*
 * The body of ContainerCreate for a managed service-anchor (LIFE-2).
 *
 * Called by managed_repairs.c. Pure, no privilege.
 */
#pragma once

#include "common/log.h"
#include "protocol/messages.h"

struct managed_body {
    const struct managed_target *configured;
    const char *target_id;      /* whose namespace it joins */
    const char *image;          /* a name or an ID */
    struct ip_address gateway4; /* of the two at least one */
    struct ip_address gateway6;
    enum log_level log_level;
    const char *replaces; /* whom it is created in place of; empty: nobody */
};

/* The text is the caller's to free. Returns 0 or -ENOMEM. */
int managed_body_make(const struct managed_body *body, char **ret) __attribute__((warn_unused_result));
