/*
 * Raw sockets, most of them the announcer's: opened once, at the start, with a capability that is given up right
 * afterwards.
 *
 * Called by daemon/main.c before privileges_restrict_supervisor(), which leaves neither CAP_NET_RAW nor packet sockets
 * (system_call_filter.c). The supervisor reads dhcp alone; the others it hands to every announcer that it starts.
 */
#pragma once

#include "common/cleanup.h"

struct raw_sockets {
    int arp;   /* AF_PACKET, not bound and with protocol 0: receives nothing; -1: none */
    int icmp6; /* raw ICMPv6; -1: none, or a kernel without IPv6 */
    int dhcp;  /* dhcp_twin.h; -1: none */
};

/*
 * Opens them, without waiting and close-on-exec; dhcp only with `dhcp_name`, what our identifiers are made of, which
 * may be NULL. Returns 0; -EPERM without CAP_NET_RAW or another negative errno, with all of them -1.
 */
int raw_sockets_open(const char *dhcp_name, struct raw_sockets *ret) __attribute__((warn_unused_result));

/* Closes what is open. */
void raw_sockets_close(struct raw_sockets *sockets);
