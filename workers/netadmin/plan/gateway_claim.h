/*
 * Which gateway addresses the anchor claims (GW-1), as pure functions: the auxiliary addresses DefaultGatewayIPv4
 * and DefaultGatewayIPv6 of the shared network. Docker gives its containers a default route to them and reserves
 * them, so that nobody else gets them.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"

#include <stddef.h>

/*
 * The address of the host's bridge in `subnet`, or none. When Docker's configuration does not name it, it is the
 * first one: Docker's IPAM gives a network's gateway out before anything else (measured, 20.10.24 and 28.5.2).
 */
struct ip_address gateway_claim_bridge_address(const struct wire_subnet *subnet);

struct gateway_claim {
    struct ip_address address;
    uint8_t prefix_length;
};

/*
 * NULL when `subnet` names no auxiliary gateway or one that a host in it can have; else why it is refused: an
 * address outside of the subnet would let the message decide what we answer for.
 */
const char *gateway_claim_check(const struct wire_subnet *subnet);

/* Lists what the shared network names, at most one a subnet, without the refused ones; returns the number. */
size_t gateway_claim_list(const struct wire_network *shared, struct gateway_claim ret[SUBNETS_MAX]);
