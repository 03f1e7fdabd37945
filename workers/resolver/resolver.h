/*
 * The resolver's conversations: looks the gateway's name up and tells way each result (SA-1).
 *
 * Called by main.c in the process anchord-resolver, which has no capability. Reads messages of the supervisor and DNS
 * answers. It never ends because a name does not resolve.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct resolver;

/*
 * Joins `event` with the supervisor's channel. The sandbox is sealed when the configuration has come, between reading
 * /etc/resolv.conf and the first question. Returns 0 or a negative errno (logged).
 */
int resolver_new(sd_event *event, struct resolver **ret) __attribute__((warn_unused_result));
struct resolver *resolver_free(struct resolver *resolver);
DEFINE_POINTER_CLEANUP(struct resolver, (void)resolver_free, resolver_freep);
