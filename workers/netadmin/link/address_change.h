/*
 * Adding an address to a link and removing one.
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN): claimed_addresses.c, address_keeper.c,
 * link_local.c and address/external_addresses.c.
 */
#pragma once

#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/*
 * Adds `address` with its prefix length, protocol and, of its flags, IFA_F_NODAD, for ever; IPv4 with the
 * broadcast address of its subnet. `is_deprecated` (IPv6 only): it serves, but is no source while there is
 * another (RFC 6724 §5 rule 3). Returns 0 or a negative errno; -EEXIST when the link holds it already.
 */
int address_add(struct rtnetlink *rtnetlink, const struct network_link *link, const struct link_address *address,
                bool is_deprecated) __attribute__((warn_unused_result));

/* ifa_valid and ifa_prefered without end (INFINITY_LIFE_TIME, include/net/addrconf.h). */
#define LIFETIME_INFINITE UINT32_MAX

/* In seconds from now; the kernel removes the address when `valid` is over, whoever is still alive by then. */
struct address_lifetime {
    uint32_t valid; /* > 0 */
    uint32_t preferred;
};

/*
 * Adds `address` or, when the link holds it with this prefix length (IPv6: with any), gives it these lifetimes and this
 * protocol, which disturbs no flow. Returns 0 or a negative errno.
 */
int address_put(struct rtnetlink *rtnetlink, const struct network_link *link, const struct link_address *address,
                const struct address_lifetime *lifetime) __attribute__((warn_unused_result));

/* Removes it. Returns 0, also when it is not there, or a negative errno. */
int address_remove(struct rtnetlink *rtnetlink, const struct network_link *link, const struct link_address *address)
    __attribute__((warn_unused_result));
