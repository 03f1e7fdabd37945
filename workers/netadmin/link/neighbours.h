/*
 * What the kernel remembers of backends' link-layer addresses.
 *
 * Called by network.c inside anchord-netadmin (CAP_NET_ADMIN); logs what fails, and goes on.
 */
#pragma once

#include "workers/netadmin/link/network_ground.h"
#include "workers/netadmin/plan/map_difference.h"

/*
 * Backends came that no element named before. A container that is recreated often has its predecessor's IPv6 address
 * and another MAC address, which engines before 28 tell nobody: the kernel would send to the old one until its
 * neighbour entry is no longer reachable, which takes up to 53 s (net/core/neighbour.c: 45 s and the probes). So it is
 * to ask anew.
 */
void neighbours_forget(struct network_ground *ground, const struct map_state *before,
                       const struct map_state_difference *difference);
