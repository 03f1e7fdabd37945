/*
 * Default route and rules of one family, and what is inside (ADDR-11, SA-2, WALL-2): the decision taken over, said, and
 * brought to the kernel.
 *
 * Called by network_apply.c inside anchord-netadmin with CAP_NET_ADMIN. Every step compares
 * first.
 */
#pragma once

#include "workers/netadmin/link/network_ground.h"
#include "workers/netadmin/plan/gateway_choice.h"
#include "workers/netadmin/plan/inner_prefixes.h"
#include "workers/netlink/network/own_routes.h"

/* Default route and rules of one family. */
struct family_state {
    uint8_t family;
    struct ip_address pin;
    struct own_routes own;
    uint32_t decisions; /* about the two below; control says each */
    struct gateway_choice choice;
    uint32_t link_index;                           /* of the external link when it is there and up, else 0 */
    struct inner_prefix inner[INNER_PREFIXES_MAX]; /* as last brought to table 24943 */
    size_t inner_count;
    struct ip_address remembered; /* there */
};

/* What the routes of one family come from, besides the gateway. */
struct family_inputs {
    const struct network_link *link; /* that the gateway is on; NULL or down: only `unreachable` is wanted */
    const struct lease *lease;       /* whose routes are wanted, too; NULL without one */
    struct link_address witnessed;   /* what is to be remembered in table 24943; or of no family */
};

/* Takes over the decision and brings routes and rules there. Returns 0 or the first failure, reported. */
int family_routes_apply(struct network_ground *ground, struct family_state *family, const struct family_inputs *inputs,
                        const struct gateway_choice *choice) __attribute__((warn_unused_result));

/* A LAN without IPv6 is nothing to warn of; nor is, under attach, a family that has no address yet, or none any more:
 * that is said. */
bool family_routes_expect_gateway(const struct network_ground *ground, const struct family_state *family);

/* Removes rules and routes of one family. Returns 0 or the first failure, reported. */
int family_routes_remove(struct network_ground *ground, struct family_state *family)
    __attribute__((warn_unused_result));
