/*
 * The role network-anchor: an identity (identity.h) with a keeper, when it is wanted, whose networks the watcher finds.
 *
 * Called by daemon/main.c, as root with the capabilities of privileges.h. It passes on nothing that it did not pin: the
 * first final TOPOLOGY holds for its life (DESIGN §1, DISC-4).
 */
#pragma once

#include "daemon/role/identity.h"

/* Runs until a signal or a permanent failure; returns the exit status (common/sandbox.h). */
int network_anchor_run(const struct configuration *configuration, const struct identity_openings *openings);
