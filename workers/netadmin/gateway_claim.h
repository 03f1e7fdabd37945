/*
 * The claimed gateway addresses (GW-1): the auxiliary addresses DefaultGatewayIPv4 and DefaultGatewayIPv6 of the
 * shared network. Docker gives its containers a default route to them and reserves them, so that nobody else
 * gets them; the anchor adds them to its own interface:
 *
 *     inet  172.30.0.2/24 brd 172.30.0.255 dev SHARED proto 110          (secondary: the endpoint's is first)
 *     inet6 fd30::2/64 dev SHARED nodad preferred_lft 0 proto 110
 *
 * Neither becomes the source of the anchor's own traffic: IPv4 sends from a subnet's primary address, IPv6 avoids
 * deprecated ones (RFC 6724 §5 rule 3), which otherwise serve as any other.
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN). On failure the failed request is in *request.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/netadmin/link_table.h"
#include "workers/netadmin/rtnetlink.h"

struct gateway_claim {
    struct ip_address address;
    uint8_t prefix_length;
};

/* Lists what the shared network names, at most one a subnet, without the refused ones; returns the number. */
size_t gateway_claim_list(const struct wire_network *shared, struct gateway_claim ret[SUBNETS_MAX]);

/*
 * NULL when `subnet` names no auxiliary gateway or one that a host in it can have; else why it is refused: an
 * address outside of the subnet would let the message decide what we answer for.
 */
const char *gateway_claim_check(const struct wire_subnet *subnet);

/*
 * Adds what is missing. Waits for the endpoint's own address of the same subnet, which must be the first.
 * Returns the number of added addresses or a negative errno.
 */
int gateway_claim_apply(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const struct network_link *link,
                        const struct wire_network *shared) __attribute__((warn_unused_result));

/* Removes the claimed addresses. Returns 0 or a negative errno. */
int gateway_claim_remove(struct rtnetlink *rtnetlink, struct rtnetlink_request *request,
                         const struct network_link *link, const struct wire_network *shared)
    __attribute__((warn_unused_result));
