/*
 * The supervisor of the roles external-rebinder and wrap-rebinder: the keeper, which does their work (SPEC §6).
 *
 * Called by main.c, as root, after the supervisor has limited itself.
 */
#pragma once

#include "daemon/configuration.h"

/* Runs the role until it is stopped. Returns the exit status. */
int rebinder_run(const struct configuration *configuration);
