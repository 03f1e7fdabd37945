/*
 * The link-local IPv6 address of the shared interface, and of an attached identity's inner links, usable from the first
 * moment:
 *
 *     inet6 fe80::…/64 dev SHARED nodad
 *
 * The kernel asks for a neighbour's MAC from this address when it forwards to him (net/ipv6/ndisc.c: ndisc_send_ns),
 * and not at all while duplicate address detection runs, which takes up to 2 s. So long no reply would reach a
 * container that already knows our MAC from the announcement (measured: 2.1 s instead of 0.1). On a bridge inside
 * one kernel, with an address that the MAC is part of, there is nothing to detect: who answers is no twin, but a
 * container that lies, and the address would stay useless after it has gone.
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN).
 */
#pragma once

#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/*
 * Gives each link-local address of `link` that is still tentative, or was refused, a second birth without detection.
 * Returns the number of such addresses, or a negative errno whose request is rtnetlink_request().
 */
int link_local_settle(struct rtnetlink *rtnetlink, const struct network_link *link) __attribute__((warn_unused_result));
