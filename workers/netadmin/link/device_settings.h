/*
 * The per-device settings that decide whether and how a machine forwards, switched where ours differ.
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN). By netlink alone (IFLA_AF_SPEC), since the
 * process has no files; that reaches the IPv4 settings of one device, never `all`, and no IPv6 setting (NAT-13).
 */
#pragma once

#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/*
 * Whether this namespace forwards IPv6: net.ipv6.conf.all.forwarding, which decides alone (net/ipv6/ip6_output.c); the
 * setting of an interface says only whether it is a router to its link. Returns 1, 0, or a negative errno.
 */
int device_settings_read_forwarding6(struct rtnetlink *rtnetlink) __attribute__((warn_unused_result));

/*
 * Brings a device's IPv4 settings to what its side needs, in one request, or none when `current` is right:
 *
 *     both      forwarding=1            (NAT-13)
 *               promote_secondaries=1   one address less must not take the others and the routes with it
 *     attached  rp_filter=2             a container of several networks answers by another one; 2 wins over `all`
 *     external  arp_ignore=1            inner addresses are not answered for on the LAN (NAT-10)
 *               arp_announce=2          nor named as the sender of our own ARP requests
 *
 * Returns 1 when something was changed, 0 when nothing had to be, or a negative errno whose request is
 * rtnetlink_request().
 */
int device_settings_apply(struct rtnetlink *rtnetlink, uint32_t index, const char *name, enum device_side side,
                          const struct device_settings *current) __attribute__((warn_unused_result));
