/*
 * Who is connected to the control socket: accepting, limits, the end.
 *
 * Used by control.c in anchord-control, without any privilege. Nobody but root gets this far (the socket's mode and
 * directory, checked again by peer credentials), and still nobody may grow our memory or hold us up: a client that is
 * silent too long, does not read its answers or breaks D-Bus is dropped, and of too many the most silent one.
 */
#pragma once

#include "workers/control/view.h"

#include <systemd/sd-event.h>

struct clients;

/* `view` must outlive it. Returns 0 or a negative errno. */
int clients_new(sd_event *event, struct view *view, struct clients **ret) __attribute__((warn_unused_result));
struct clients *clients_free(struct clients *clients);
DEFINE_POINTER_CLEANUP(struct clients, (void)clients_free, clients_freep);

/* The socket to accept on, which it owns from now on (also when this fails). Returns 0 or a negative errno. */
int clients_listen(struct clients *clients, int listener) __attribute__((warn_unused_result));

/* The view has changed: once per turn of the event loop, however often this is called, clients hear of it. */
void clients_announce_change(struct clients *clients);
