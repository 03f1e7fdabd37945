/*
 * The conversations of anchord-links: supervisor and watcher; and the notifications of the host's links.
 *
 * Called by main.c, with CAP_NET_ADMIN on the host. Reads fixed-size messages and rtnetlink. What belongs to the
 * project is pinned by the supervisor; the watcher says on which of Docker's networks it is now.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct links;

/* Joins `event`, with all that the sandbox will forbid to open. Returns 0, or a negative errno (logged). */
int links_new(sd_event *event, struct links **ret) __attribute__((warn_unused_result));
struct links *links_free(struct links *links);
DEFINE_POINTER_CLEANUP(struct links, (void)links_free, links_freep);
