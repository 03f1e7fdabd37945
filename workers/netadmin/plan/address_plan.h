/*
 * Which addresses of ours the external interface is to hold (ADDR-1, ADDR-2), as a pure function of what it holds, what
 * was leased, and the time.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect.
 */
#pragma once

#include "common/address.h"
#include "workers/netadmin/plan/lease_policy.h"
#include "workers/netlink/plan/links.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_NEVER UINT64_MAX

/*
 * The bootstrap address is put back this long before the kernel takes the leased one away, so that there is no moment
 * without an address: microseconds.
 */
#define LEASE_END_MARGIN UINT64_C(1000000)

struct known_further {
    uint64_t valid_until; /* as below */
    uint64_t preferred_until;
    bool is_duplicate; /* somebody else has it: it is not wanted before the server gives it again */
};

/* What is known of one family's lease. Zero: nothing yet. */
struct known_lease {
    bool is_known; /* the supervisor has told of it, be it that there is none */
    bool is_held;
    struct lease lease;
    uint64_t valid_until; /* microseconds of CLOCK_BOOTTIME, or TIME_NEVER */
    uint64_t preferred_until;
    struct known_further further[LEASE_FURTHER_MAX]; /* of lease.further, in its order */
};

struct address_inputs {
    uint8_t family; /* enum ip_family */
    const struct network_link *link;
    struct link_address bootstrap; /* what Docker gave; of no family when it gave none */
    bool takes_leases;             /* the address mode is dhcp-refresh */
    const struct known_lease *lease;
    uint64_t now; /* microseconds of CLOCK_BOOTTIME */
};

struct wanted_address {
    struct link_address address;
    uint64_t valid_until;
    uint64_t preferred_until;
    bool is_lease;
    size_t number; /* within the lease: 0 for its first address */
    bool serves;   /* the link holds it, and it can be used */
};

struct address_plan {
    /* IPv4: the leased address or the bootstrap address. IPv6: the bootstrap address, and the leased ones beside it. */
    size_t wanted_count;
    struct wanted_address wanted[1 + LEASE_ADDRESSES_MAX];
    bool has_lease;   /* that is not over, though all it gave may be Docker's address */
    bool is_complete; /* all of them serve */
    bool is_adopted;  /* a predecessor's lease is there and nobody told of it yet: it serves until it ends */
    /* What has to go, once the plan is complete. */
    size_t surplus_count;
    struct link_address surplus[LINK_ADDRESSES_MAX];
    bool is_hurried; /* it has no right to be there any more */
    uint64_t next;   /* when time alone changes the plan; TIME_NEVER */
};

/* An address that a lease brought is recognized by ROUTE_PROTOCOL; before Linux 5.18 an IPv4 one by its lifetime, which
 * nothing else in a container has, an IPv6 one by that and its /128: SLAAC makes /64 (RFC 4291 §2.5.1). */
struct address_plan address_plan_make(const struct address_inputs *inputs);

/* The link's own entry of `address`, or NULL. IPv6 has one entry an address, IPv4 one for each prefix length. */
const struct link_address *address_plan_find(const struct network_link *link, const struct link_address *address);

/* Whether the lease, which is held, gave `address`. */
bool known_lease_names(const struct known_lease *lease, const struct ip_address *address);

/* Whether a lease, be it a predecessor's, brought this address to the external interface. */
bool address_is_leased(const struct link_address *address);
