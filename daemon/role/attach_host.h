/*
 * The role attach-host, the host half of attach (HOST-11): links and namespaces, in the network and process namespaces
 * of the host, and the socket at which the identity half meets them.
 *
 * Called by daemon/main.c, as root with the capabilities of privileges.h. It reads nothing but our own fixed-size
 * messages, and hands them on.
 */
#pragma once

#include "daemon/configuration/configuration.h"

/* Runs until a signal or a permanent failure; returns the exit status (common/sandbox.h). `listener`: from
 * meeting_server_listen(), stays the caller's. */
int attach_host_run(const struct configuration *configuration, int listener);
