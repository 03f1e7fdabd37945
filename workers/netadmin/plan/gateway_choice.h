/*
 * Which gateway the anchor uses towards the outside (ADDR-11), as a pure function.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"
#include "workers/netadmin/plan/lease_policy.h"
#include "workers/netlink/plan/links.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Routers of one LAN that are mirrored, best first; more are left out. */
#define ROUTERS_MAX 4
/* Advertised default routes that are looked at; the best ROUTERS_MAX of them are mirrored. */
#define ROUTERS_READ_MAX 16

/* A default route that router advertisements made the kernel install in the main table. */
struct gateway {
    struct ip_address address;
    uint8_t preference;  /* ICMPV6_ROUTER_PREF_… of linux/icmpv6.h (RFC 4191 §2.1); 0, medium, without one */
    uint32_t expires_in; /* seconds; 0: does not expire */
    bool is_silent;      /* it no longer answers the kernel's neighbour detection (RFC 4861 §7.3.3) */
};

struct gateway_inputs {
    uint8_t family;                      /* enum ip_family */
    struct ip_address pin;               /* or none */
    const struct wire_network *external; /* the IPAM gateways */
    const struct gateway *routers;       /* advertised on the external interface */
    size_t router_count;
    const struct network_link *link; /* the external interface: its addresses say what is on link */
    const struct lease *lease;       /* the one whose address serves now; NULL without one */
    bool prefers_advertised;         /* to IPAM: every address mode but bootstrap */
};

struct gateway_choice {
    bool is_beyond_subnets;     /* on link by the lease's routes only, of which the kernel's check knows nothing */
    enum gateway_source source; /* of the gateways, or, when there are none, of the best that is not on link */
    size_t count;               /* of gateways; 0: nothing may leave */
    struct gateway gateways[ROUTERS_MAX]; /* best first; more than one only from advertisements */
};

/*
 * The lease's before the pin before IPAM before advertisements, or advertisements before IPAM in the modes that ask the
 * network; each family by itself. The lease's counts while it is on link, by our addresses or by the lease's routes. A
 * pin is the operator's word: when it is not on link nothing replaces it. IPAM gateways count while they are on link.
 * Of several advertised routers those that answer are first, then the better preference (RFC 4191 §3.2), then the lower
 * address, so that the order is stable.
 */
struct gateway_choice gateway_choose(const struct gateway_inputs *inputs);

/* Equal but for the time that is left of an advertisement, and who is silent: that shows in the order. */
bool gateway_choice_equal(const struct gateway_choice *a, const struct gateway_choice *b);
