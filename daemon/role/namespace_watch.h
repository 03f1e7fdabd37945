/*
 * Notices that a joined network namespace is no longer its owner's (SA-6).
 *
 * When the owner of a `network_mode: container:` namespace stops, Docker takes the links away and leaves this container
 * running with `lo` alone; when the owner starts, it gets another namespace. To end at once would be wrong: a restart
 * policy that finds the owner stopped gives up for good (measured, Engine 20.10 and 28.5). Both containers share the
 * owner's /etc/hosts, from which Docker removes the owner's lines at its stop and to which it adds them at its start,
 * in place (measured, both engines). So the file's size tells when to end; nothing of it is read.
 *
 * Used by service_anchor.c, and by network_anchor.c under a holder (KEEP-4), as root.
 */
#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct namespace_watch;

/* The namespace is lost and its owner runs again; called once. */
typedef void (*namespace_watch_handler)(void *userdata);

/* Returns 0 or a negative errno. */
int namespace_watch_new(sd_event *event, namespace_watch_handler on_lost, void *userdata, struct namespace_watch **ret)
    __attribute__((warn_unused_result));
struct namespace_watch *namespace_watch_free(struct namespace_watch *watch);
DEFINE_POINTER_CLEANUP(struct namespace_watch, (void)namespace_watch_free, namespace_watch_freep);

/* Whether the namespace has links besides `lo`. */
void namespace_watch_set_links(struct namespace_watch *watch, bool has_links);
