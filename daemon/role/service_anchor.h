/*
 * The supervisor of the role service-anchor: way, and the resolver unless the gateway is configured (SPEC §5).
 *
 * Called by daemon/main.c, as root, after the supervisor has limited itself.
 */
#pragma once

#include "daemon/configuration/configuration.h"

/*
 * Runs the role until it is stopped. Returns the exit status; EXIT_STATUS_NAMESPACE_LOST when the namespace's owner was
 * started again without us (SA-6).
 */
int service_anchor_run(const struct configuration *configuration);
