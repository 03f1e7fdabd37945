/*
 * The claimed gateway addresses on the shared interface (GW-1):
 *
 *     inet  172.30.0.2/24 brd 172.30.0.255 dev SHARED proto 110          (secondary: the endpoint's is first)
 *     inet6 fd30::2/64 dev SHARED nodad preferred_lft 0 proto 110
 *
 * Neither becomes the source of the anchor's own traffic: IPv4 sends from a subnet's primary address, IPv6 avoids
 * deprecated ones (RFC 6724 §5 rule 3), which otherwise serve as any other.
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN). On failure it is rtnetlink_request() that failed.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/* Whether `address` may be added to `link` now; asked of each one that is missing. */
typedef bool (*claim_permission)(const struct network_link *link, const struct ip_address *address, void *userdata);

/*
 * Adds what is missing and permitted. Waits for the endpoint's own address of the same subnet, which must be the
 * first. Returns the number of added addresses or a negative errno.
 */
int claimed_addresses_apply(struct rtnetlink *rtnetlink, const struct network_link *link,
                            const struct wire_network *shared, claim_permission may_claim, void *userdata)
    __attribute__((warn_unused_result));

/* Removes the claimed addresses, each whatever becomes of the others. Returns 0 or the first negative errno. */
int claimed_addresses_remove(struct rtnetlink *rtnetlink, const struct network_link *link,
                             const struct wire_network *shared) __attribute__((warn_unused_result));
