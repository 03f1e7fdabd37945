/*
 * The announcer's state machine: what netadmin says that we hold is announced and defended, what it asks is probed.
 *
 * Used by main.c; runs in anchord-announcer with a user of its own and no capability. It trusts neither the link,
 * whose frames anybody can forge, nor needs it to answer. Its peers can make it announce what they name, and nothing
 * else: it has no file, no socket of its own making, no exec.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct announcer;

/*
 * Joins the event loop and takes over SUPERVISOR_DESCRIPTOR; raw sockets and netadmin's channel come by messages.
 * Returns 0 or a negative errno (logged).
 */
int announcer_new(sd_event *event, struct announcer **ret) __attribute__((warn_unused_result));

/* Frees. NULL is fine. Returns NULL. */
struct announcer *announcer_free(struct announcer *announcer);
DEFINE_POINTER_CLEANUP(struct announcer, (void)announcer_free, announcer_freep);
