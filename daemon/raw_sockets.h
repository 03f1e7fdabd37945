/*
 * The announcer's raw sockets: opened once, at the start, with a capability that is given up right afterwards.
 *
 * Called by main.c before privileges_restrict_supervisor(), which leaves neither CAP_NET_RAW nor packet sockets
 * (system_call_filter.c). The supervisor never reads them; it hands them to every announcer that it starts.
 */
#pragma once

#include "common/cleanup.h"

struct raw_sockets {
    int arp;   /* AF_PACKET, not bound and with protocol 0: receives nothing; -1: none */
    int icmp6; /* raw ICMPv6; -1: none, or a kernel without IPv6 */
};

/*
 * Opens both, without waiting and close-on-exec. Returns 0; -EPERM without CAP_NET_RAW or another negative errno,
 * with both -1.
 */
int raw_sockets_open(struct raw_sockets *ret) __attribute__((warn_unused_result));

/* Closes what is open. */
void raw_sockets_close(struct raw_sockets *sockets);
