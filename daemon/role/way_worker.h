/*
 * The worker `way` as a supervisor runs it: what it is, and the sockets of the namespace that it serves.
 *
 * Used by service_anchor.c and attach.c, as root.
 */
#pragma once

#include "common/address.h"
#include "daemon/supervise/worker.h"

struct worker_definition way_worker_definition(void);

/*
 * To be called when the worker was started: sends CONFIGURE_WAY, then the two sockets of this namespace. The kernel
 * asks for CAP_NET_ADMIN of whoever opened a socket and of whoever sends by it: so it is in effect here while they are
 * opened. A worker that cannot be told is ended, to be started again. Either gateway may be none.
 */
void way_worker_tell(struct worker *worker, const struct ip_address *gateway4, const struct ip_address *gateway6,
                     uint32_t log_level);

/* The same under attach (HOST-4): the sockets of all namespaces come from the host half. */
void way_worker_tell_attached(struct worker *worker, const struct wire_address *next_hop,
                              const struct mac_address *inner_mac, uint32_t log_level);
