/*
 * The supervisor of the role network-anchor: starts gate, watcher, netadmin, announcer, control, exporter and, when it
 * is wanted, the keeper, joins them, restarts them, stops them.
 *
 * Called by daemon/main.c, as root with the capabilities of privileges.h. It reads nothing but our own fixed-size
 * messages and passes on nothing that it did not pin: the first final TOPOLOGY holds for its life (DESIGN §1, DISC-4).
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "daemon/role/gate_worker.h"
#include "daemon/role/raw_sockets.h"

/*
 * Runs until a signal or a permanent failure; returns the exit status (common/sandbox.h). `raw_sockets` stay the
 * caller's; without the one for ARP there is no announcer. So does `lease_listener`, from dhcp_files_make(); without
 * it, -1, there is no DHCP. So do `gate_sockets`, all -1 without a gate.
 */
int network_anchor_run(const struct configuration *configuration, const struct raw_sockets *raw_sockets,
                       const struct gate_sockets *gate_sockets, int lease_listener);
