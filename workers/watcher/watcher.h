/*
 * The watcher as a whole: supervisor on one side, netadmin on the other, Docker in between (DESIGN §1, §2).
 *
 * Called by main.c. Reads what Docker and, by way of labels, anybody who writes a Compose file says; runs under its
 * own user, without any capability, and seals itself before the first byte from Docker.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct watcher;

/* The event loop ends with an enum exit_status. Returns 0 or a negative errno. */
int watcher_new(sd_event *event, struct watcher **ret) __attribute__((warn_unused_result));
struct watcher *watcher_free(struct watcher *watcher);
DEFINE_POINTER_CLEANUP(struct watcher, (void)watcher_free, watcher_freep);
