/*
 * The role attach, the identity half (HOST-11): an identity (identity.h) with way, whose links the host half makes. The
 * two meet at a socket (meeting_client.h); nothing is started before the first meeting.
 *
 * Called by daemon/main.c, as root with the capabilities of privileges.h, in a network namespace of its own. Who the
 * identity is, the first WELCOME says and pins.
 */
#pragma once

#include "daemon/role/identity.h"

/*
 * Runs until a signal or a permanent failure; returns the exit status (common/sandbox.h). Changes the name in
 * `configuration` by which DHCP servers know the project, which holds the machine's identity then (HOST-2).
 */
int attach_run(struct configuration *configuration, const struct identity_openings *openings);
