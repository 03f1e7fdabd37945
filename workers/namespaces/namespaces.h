/*
 * The conversations of anchord-namespaces: supervisor, watcher, way; and the namespaces that were handed out.
 *
 * Called by main.c, with CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_NET_ADMIN: whoever is in here is root on the host. Reads
 * fixed-size messages, and of /proc what container_process.c reads. The watcher asks by a container's ID, which nobody
 * guesses; way gets the sockets, the watcher a number.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct namespaces;

/* Joins `event`, with all that the sandbox will forbid to open. Returns 0, or a negative errno (logged). */
int namespaces_new(sd_event *event, struct namespaces **ret) __attribute__((warn_unused_result));
struct namespaces *namespaces_free(struct namespaces *namespaces);
DEFINE_POINTER_CLEANUP(struct namespaces, (void)namespaces_free, namespaces_freep);
