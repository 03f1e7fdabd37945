/*
 * The supervisor of the roles external-rebinder and wrap-rebinder: the keeper, which does their work (SPEC §6), and the
 * gate, through which it asks Docker.
 *
 * Called by daemon/main.c, as root, after the supervisor has limited itself.
 */
#pragma once

#include "daemon/role/gate_worker.h"

/* Runs the role until it is stopped; `gate_sockets` stay the caller's. Returns the exit status. */
int rebinder_run(const struct configuration *configuration, const struct gate_sockets *gate_sockets);
