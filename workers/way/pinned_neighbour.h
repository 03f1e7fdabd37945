/*
 * The next hop as a neighbour whose MAC address is known (HOST-2).
 *
 *     ip neighbour replace 169.254.24.94 dev eth0 lladdr MAC nud permanent
 *
 * Under attach it is the identity's, on every link of it the same. So nobody is asked who has the next hop, and nobody
 * else on that network can say so: neither another project's identity that happens to have the same one, nor a
 * container.
 *
 * Used by served_namespace.c inside anchord-way with CAP_NET_ADMIN.
 */
#pragma once

#include "common/address.h"
#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/* Returns 0, also when it stands there already, or a negative errno. */
int pinned_neighbour_put(struct rtnetlink *rtnetlink, const struct network_link *link, const struct ip_address *address,
                         const struct mac_address *mac) __attribute__((warn_unused_result));

/* Of whichever of the links. Goes on after a failure; returns the first one, or 0, also when there was none. */
int pinned_neighbour_remove(struct rtnetlink *rtnetlink, const struct link_table *links,
                            const struct ip_address *address) __attribute__((warn_unused_result));
