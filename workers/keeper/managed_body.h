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

/* "ANCHORD_GATEWAY_IP=172.30.0.2,2001:db8::2". */
#define GATEWAY_ASSIGNMENT_SIZE (sizeof("ANCHORD_GATEWAY_IP=") + 2 * IP_ADDRESS_TEXT_SIZE)
void managed_body_gateway_assignment(const struct managed_body *body, char ret[GATEWAY_ASSIGNMENT_SIZE]);

/* The text is the caller's to free. Returns 0 or -ENOMEM. */
int managed_body_make(const struct managed_body *body, char **ret) __attribute__((warn_unused_result));
