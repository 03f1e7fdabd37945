/*
 * The worker `keeper` as the supervisors of its roles run it: what it is and what it is told first.
 *
 * Called by network_anchor.c (network-anchor) and rebinder.c, as root.
 */
#pragma once

#include "daemon/role/gate_worker.h"

/* `configuration` must outlive what it returns. */
struct worker_definition keeper_worker_definition(const struct configuration *configuration);

/*
 * CONFIGURE_KEEPER, the first message of its life. `is_successor`: one of this supervisor's ran before it, and may have
 * left something half-done. `is_held`: the network namespace is a holder's (holder.h).
 */
void keeper_worker_configure(struct worker *keeper, const struct configuration *configuration,
                             const struct gate_sockets *gate_sockets, bool is_successor, bool is_held);
