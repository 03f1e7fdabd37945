/*
 * What the LAN must not name (WALL-2): the networks of the namespace's other links.
 *
 * Owned by network.c inside anchord-netadmin; looks at links as they were read, no privilege.
 *
 * Two walls. Table 24943 is looked up before main, so that no route that a lease or an advertisement brings decides
 * about an inner address. An *address* is another matter, since the kernel's table `local` comes before every rule: a
 * lease's is never added, and what the kernel made of an advertisement itself is no address of the project's.
 */
#pragma once

#include "workers/netadmin/link/witness.h"

struct inner_guard {
    const struct network_ground *ground;
    const struct witness *witness;
};

/* The external link without what a lease or a router put inside of an inner network: such an address serves nobody, is
 * announced to nobody and no source. */
struct network_link inner_guard_believed(const struct inner_guard *guard, const struct network_link *external);

/* The network of another link that `address` of the external link lies in, in *ret, and that link; NULL when it lies in
 * none, or Docker gave it. */
const struct network_link *inner_guard_find_around(const struct inner_guard *guard, const struct ip_address *address,
                                                   struct ip_subnet *ret);

/* As above the one that the subnet of `address`, in *ret_lan, contains, while it lies in none. */
const struct network_link *inner_guard_find_within(const struct inner_guard *guard, const struct link_address *address,
                                                   struct ip_subnet *ret_lan, struct ip_subnet *ret);
