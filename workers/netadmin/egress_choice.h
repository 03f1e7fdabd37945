/*
 * From which IPv6 addresses the project's traffic leaves (NAT-8), as a pure function.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect. IPv4 needs no choice: masquerade
 * takes the external interface's primary address.
 */
#pragma once

#include "common/address.h"
#include "workers/netadmin/link_table.h"

struct egress_choice {
    struct ip_address global;       /* to everywhere; family none without one */
    struct ip_address unique_local; /* to fc00::/7; family none without one */
};

/*
 * Chooses among the usable addresses of the external interface. In bootstrap mode the address that Docker gave
 * is the identity (ADDR-1): permanent ones come before SLAAC's, and temporary or deprecated ones (RFC 8981,
 * RFC 4862 §5.5.4) are taken only when there is nothing else. Among equals the lowest, so that the choice is
 * stable.
 */
struct egress_choice egress_choose(const struct network_link *external);
