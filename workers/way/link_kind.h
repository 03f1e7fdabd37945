/*
 * Whether a link is one end of a veth pair, as all are that lead to a bridge of Docker's; a macvlan's, an ipvlan's or a
 * VPN's is not.
 *
 * Used by served_namespace.c; anchord-way has CAP_NET_ADMIN, which this does not need.
 */
#pragma once

#include "workers/netlink/rtnetlink.h"

#include <stdint.h>

/* Returns 1, 0 (another kind, or no such link), or a negative errno. */
int link_kind_is_veth(struct rtnetlink *rtnetlink, uint32_t index) __attribute__((warn_unused_result));
