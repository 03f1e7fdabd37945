/*
 * The D-Bus object that operators read: /org/anchord/Anchor1 with the interface org.anchord.Anchor1.
 *
 * Every connection gets it (clients.c), in anchord-control. It only reads; there is no method that changes anything.
 * `busctl --address=unix:path=/run/anchord/control.sock introspect org.anchord /org/anchord/Anchor1` lists it.
 */
#pragma once

#include "workers/control/view.h"

#include <systemd/sd-bus.h>

/* Adds the object to a connection; `view` must outlive it. Returns 0 or a negative errno. */
int bus_object_add(sd_bus *bus, struct view *view) __attribute__((warn_unused_result));

/* Says that what a client has read may be old. Returns a negative errno when the connection cannot take it. */
int bus_object_announce_change(sd_bus *bus) __attribute__((warn_unused_result));
