/*
 * Follows packets of connections through the kernel's tables, for `anchord explain --live` (SEE-3).
 *
 * Used by explain_command.c, as root; what is told of packets anchord-explain reads, without any privilege.
 */
#pragma once

#include "daemon/command/explain_kernel.h"
#include "daemon/command/explain_output.h"

#define EXPLAIN_FOLLOWED_MAX 2 /* of each family one: there is one table that traces */

/* Until the first packet has gone its way, or time is over. Returns the exit status of the command. */
int explain_follow(const struct explain_place *place, const struct explain_model *model,
                   const struct explain_flow *flows, size_t count, unsigned int seconds, struct explain_output *output);
