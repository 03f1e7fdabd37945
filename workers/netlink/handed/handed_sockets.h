/*
 * rtnetlink sockets that somebody else opened, in a namespace that need not be ours.
 *
 * Used by anchord-way and anchord-links, before and behind their seccomp filters. Who opens his own needs none of this.
 */
#pragma once

#include "workers/netlink/rtnetlink.h"

/* Each owns the descriptor from now on. Returns 0, -EPROTOTYPE for what is no netlink socket of `protocol`
 * (NETLINK_ROUTE for the monitor), or a negative errno. */
int handed_sockets_requests(int descriptor, int protocol, struct rtnetlink **ret) __attribute__((warn_unused_result));
/* Its socket must not block. */
int handed_sockets_monitor(int descriptor, struct mnl_socket **ret) __attribute__((warn_unused_result));
