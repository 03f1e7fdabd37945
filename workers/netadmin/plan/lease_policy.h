/*
 * What of a lease is taken (ADDR-2, ADDR-11, DESIGN §1), as a pure function: every field comes from whoever answers
 * DHCP on the LAN.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"
#include "workers/netlink/plan/links.h"

#include <stdbool.h>
#include <stddef.h>

/* Of option 121; never a default route. */
struct lease_route {
    struct ip_subnet destination;
    struct ip_address gateway; /* family none: on link */
};

/* One more of an IA_NA; always a /128. */
struct further_address {
    struct ip_address address;
    uint32_t valid_seconds;
    uint32_t preferred_seconds;
};

/* What was taken of a lease. */
struct lease {
    struct ip_address address;
    uint8_t prefix_length;
    struct ip_address gateway; /* of option 121, or 3 without it (RFC 3442); family none without a usable one */
    uint32_t mtu;              /* of the way to all that is behind a router, bytes; 0: the link's */
    size_t route_count;
    struct lease_route routes[LEASE_ROUTES_MAX];
    size_t further_count;
    struct further_address further[LEASE_FURTHER_MAX];
};

struct lease_policy {
    /* Inside (WALL-2), no place for anything of a lease: the subnets of the shared network and of every link but the
     * external one. A subnet or route that merely contains one is fine: what is inside is looked up first. */
    const struct wire_network *shared;
    const struct link_table *links;
    uint32_t external_index; /* 0: the link is not there now */
    bool is_attached; /* a lease without end may be an address that was given, in IPv6 with its prefix (HOST-12) */
    /* Called for each further address, gateway, route or MTU that is left out, while the rest of the lease is taken. */
    void (*on_refused)(const char *object, const char *reason, void *userdata);
    void *userdata;
};

/*
 * Checks the lease of `family` and fills *ret. Returns 0, or -EPERM with `reason`: address, prefix or lifetimes make no
 * sense here, nothing of it may be used.
 */
int lease_policy_check(const struct lease_policy *policy, uint8_t family, const struct wire_lease *wire,
                       struct lease *ret, char reason[REASON_SIZE]) __attribute__((warn_unused_result));

/* Whether both want the same routes, whatever their addresses. */
bool lease_routes_equal(const struct lease *a, const struct lease *b);

/* Whether a neighbour with `address` can be reached over the external link by this lease: in its subnet, or in a
 * route of it that is on link. */
bool lease_has_on_link(const struct lease *lease, const struct ip_address *address);
