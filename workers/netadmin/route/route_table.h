/*
 * Our two routing tables and the rules that lead into them (ADDR-11, SA-2, WALL-2), both families:
 *
 *     ip rule:   32760: from all lookup 24943 proto 110                      (not in a service-anchor)
 *                32764: from all lookup main suppress_prefixlength 0 proto 110
 *                32765: from all lookup 24942 proto 110
 *     ip route show table 24942:
 *                default via GATEWAY dev EXTERNAL proto 110 metric 100
 *                    (v6 RA: pref …, expires …; 101 … for the next; those that answer are first, router_watch.c)
 *                unreachable default proto 110 metric 4294967295
 *     with a lease: default via GATEWAY dev EXTERNAL proto 110 metric 90
 *                192.0.2.0/24 via ROUTER dev EXTERNAL proto 110 metric 90  (option 121)
 *                192.0.2.1 dev EXTERNAL proto 110 scope link metric 90     (option 121, on link)
 *                    (these three with `mtu 1400` where option 26 says less than the link)
 *
 *     ip route show table 24943:      each subnet of each link but the external one, as the kernel has it in main
 *                172.30.0.0/24 dev SHARED proto 110 scope link src 172.30.0.3 metric 100
 *                unreachable 172.31.0.0/24 proto 110 metric 100              (while its link is down)
 *                throw 10.99.0.50 proto 110 metric 24                        (remembered: witness.c)
 *
 * What is inside is looked up first: whatever a DHCP server or a router makes of main, a /32 say, it takes no inner
 * address over. Then main's specific routes hold, Docker's default routes never do, other people's rules come first,
 * and with the link down or no gateway nothing leaves another way. Docker's routes are never touched.
 *
 * A kernel without policy routing has no table but main (SA-2). There the same routes stand twice, as two halves:
 *
 *     ip route show table main:
 *                0.0.0.0/1   via GATEWAY dev EXTERNAL proto 110 metric 100      (v6: ::/1)
 *                unreachable 0.0.0.0/1 proto 110 metric 4294967295
 *                128.0.0.0/1 …                                                  (v6: 8000::/1)
 *
 * More specific than every default route, they shadow Docker's instead of replacing it: Docker finds its own as it left
 * it (an edited one makes `docker network connect` fail), and there is nothing to restore after a crash.
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN). Each call compares with what the kernel has and
 * sends the difference only, so that a predecessor's work is adopted without a gap; what is there and right is
 * not touched. On failure it is rtnetlink_request() that failed.
 */
#pragma once

#include "common/address.h"
#include "workers/netadmin/plan/gateway_choice.h"
#include "workers/netadmin/plan/route_plan.h"
#include "workers/netlink/rtnetlink.h"

#include <stdbool.h>
#include <stdint.h>

/* Brings table 24943 to the inner subnets of one family, and what is to be remembered there; that may be of no family.
 * Returns as above. */
int route_table_apply_inner(struct rtnetlink *rtnetlink, uint8_t family, const struct inner_prefix *prefixes,
                            size_t count, const struct link_address *remembered) __attribute__((warn_unused_result));

/* What a predecessor remembered there; *ret stays as it is without anything. Returns 0 or a negative errno. */
int route_table_read_remembered(struct rtnetlink *rtnetlink, uint8_t family, struct link_address *ret)
    __attribute__((warn_unused_result));

/*
 * Removes from the main table the IPv6 routes that router advertisements brought over link `index` and that lead into a
 * subnet of `shared`: an on-link prefix (RFC 4861 §4.6.2) or a route information option (RFC 4191). As specific as the
 * shared link's own or more so, they would turn the way to our backends over to the LAN where the kernel has no policy
 * routing: else table 24943 comes first. Other people's static routes stay. Returns how many there were, or a negative
 * errno.
 */
int route_table_remove_trespassers(struct rtnetlink *rtnetlink, uint32_t index, const struct wire_network *shared)
    __attribute__((warn_unused_result));

/*
 * The default routes that router advertisements brought to the main table on link `index`, `maximum` at most.
 * Returns their number or a negative errno.
 */
int route_table_read_routers(struct rtnetlink *rtnetlink, uint32_t index, struct gateway *ret, size_t maximum)
    __attribute__((warn_unused_result));

/*
 * What a predecessor installed for a lease: fills the gateway, the routes and the MTU of *ret, all but its address.
 * Returns 0 or a negative errno.
 */
int route_table_read_lease(struct rtnetlink *rtnetlink, uint8_t family, uint32_t table, struct lease *ret)
    __attribute__((warn_unused_result));
