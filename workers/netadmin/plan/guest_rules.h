/*
 * What lists and limits ask of the rules (GUEST-1, GUEST-3): whether others are needed, and what a kernel without them
 * gets instead.
 *
 * Called by ruleset.c inside anchord-netadmin; pure, no privilege.
 */
#pragma once

#include "workers/netadmin/plan/map_state.h"

/* Leaves out of *want the ports that need a kind which the kernel lacks, and those lists: rather closed than open. */
void guest_rules_leave_out(struct desired_state *want, const bool lacks_kind[GUEST_KIND_MAX_]);

/* Rules are there for each limit, and for lists once there is one. Both sorted. */
bool guest_rules_need_others(const struct guest_list *have, const struct guest_list *want);
