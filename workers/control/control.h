/*
 * The state machine of anchord-control: what the supervisor, watcher, keeper and netadmin say becomes the view that
 * clients read.
 *
 * Called by main.c. It holds no capability and can change nothing: the other processes listen to nothing from it but
 * the answer to PING.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct control;

/* Joins `event` and takes the supervisor's descriptor. Returns 0 or a negative errno, logged. */
int control_new(sd_event *event, struct control **ret) __attribute__((warn_unused_result));
struct control *control_free(struct control *control);
DEFINE_POINTER_CLEANUP(struct control, (void)control_free, control_freep);
