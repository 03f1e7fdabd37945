/*
 * What lies behind an attached identity's links: Docker's network behind each shared one, the host's addresses behind
 * the one to it (HOST-2, HOST-7). Pure.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect. What the host half has read of the kernel
 * there comes by the supervisors: the watcher has no say.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/netlink/plan/links.h"

/* What the rules call all shared links; nft's way to write the beginning of a name. */
#define SHARED_LINKS_PATTERN IDENTITY_SHARED_LINKS "*"

/* What the host alone can route: ANCHORD_VIA_HOST, without host bits. */
struct via_host {
    struct ip_subnet subnets[VIA_HOST_MAX];
    size_t count;
};

struct subnets_behind {
    struct subnet_behind items[SHARED_LINKS_MAX * SUBNETS_MAX + HOST_ADDRESSES_MAX + VIA_HOST_MAX];
    size_t count;
};

/*
 *     172.18.0.0/16 dev ancin0 src NEXT-HOP
 *     192.0.2.2 dev anchost                       the host answers ARP for all of its addresses
 *     2001:db8::2 via fe80::… dev anchost         in IPv6 for those of the very link alone (net/ipv6/ndisc.c)
 *     10.8.0.0/24 via 192.0.2.2 dev anchost       what the host alone can route
 *     fd08::/64 via fe80::… dev anchost
 * Without a link to the host nothing of the host's. What is to go by the host but is a network of the project's, or a
 * part of one, stays there.
 */
void subnets_behind_list(const struct message_shared_links *shared, const struct message_host_addresses *host,
                         const struct via_host *via_host, const struct ip_address *next_hop,
                         struct subnets_behind *ret);

/* Of those behind shared links the one that `subnet` is or lies in, or NULL. */
const struct subnet_behind *subnets_behind_find_shared(const struct subnets_behind *behind,
                                                       const struct ip_subnet *subnet);
