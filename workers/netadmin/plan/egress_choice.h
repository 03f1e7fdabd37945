/*
 * From which IPv6 addresses the project's traffic leaves (NAT-8), as a pure function.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect. IPv4 needs no choice: masquerade
 * takes the external interface's primary address.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"
#include "workers/netlink/plan/links.h"

#include <stdbool.h>

struct egress_choice {
    struct ip_address global;       /* to everywhere; family none without one */
    struct ip_address unique_local; /* to fc00::/7; family none without one */
};

/* Which address is the identity (NAT-8). */
struct egress_preference {
    bool is_bootstrap; /* the address mode (ADDR-1): Docker's address comes first, and nothing was leased */
    struct ip_address leased[LEASE_ADDRESSES_MAX]; /* by DHCPv6 (IA_NA), as far as is known; the best first */
    size_t leased_count;
    const struct ip_subnet *advertised; /* what the router in use advertised last; NULL: nobody told */
    size_t advertised_count;
};

/*
 * Chooses among the usable addresses of the external interface: leased before SLAAC before Docker's, or Docker's first
 * in bootstrap mode. Temporary or deprecated ones (RFC 8981, RFC 4862 §5.5.4) are taken only when there is nothing
 * else. Among equals one of a prefix that the router in use advertised last; else the better one of a lease; else the
 * youngest, as the kernel's own choice (net/ipv6/addrconf.c puts it in front); else the lowest, so that the choice is
 * stable.
 */
struct egress_choice egress_choose(const struct network_link *external, const struct egress_preference *preference);
