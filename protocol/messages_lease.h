/*
 * DHCP: what travels from dhcpcd's hook over the supervisor to netadmin, and back (ADDR-2 to ADDR-8). Included by
 * messages.h, which is the one to include.
 *
 * Every field of a lease comes from a DHCP server, and is checked twice: by validate.c for its form, by netadmin's
 * policy for its sense.
 */
#pragma once

#include "protocol/messages_parts.h"

#define LEASE_ROUTERS_MAX     4  /* of option 3; the first ones */
#define LEASE_ROUTES_MAX      64 /* of option 121 (ADDR-11) */
#define LEASE_ADDRESSES_MAX   4  /* of one IA_NA (RFC 8415 §21.4); the best ones */
#define LEASE_FURTHER_MAX     (LEASE_ADDRESSES_MAX - 1)
#define LEASE_MTU_MIN         68         /* RFC 2132 §5.1 */
#define LEASE_REASON_SIZE     16         /* dhcpcd's $reason: "BOUND", "ROUTERADVERT" …; with the NUL */
#define LEASE_SECONDS_FOREVER UINT32_MAX /* RFC 2131 §3.3, RFC 8415 §7.7 */

/* Where anchord-lease finds the supervisor: SOCK_SEQPACKET, 0600, owned by dhcpcd's user. */
#define LEASE_SOCKET_PATH        "/run/anchord/lease.sock"
#define LEASE_SOCKET_ENVIRONMENT "ANCHORD_LEASE_SOCKET" /* another path, for a dhcpcd that the host runs */

struct wire_route {
    struct wire_address destination; /* the subnet's first address */
    struct wire_address gateway;     /* all zero bytes of its family: on link */
    uint8_t prefix_length;
    uint8_t reserved[3];
};

struct wire_leased_address {
    struct wire_address address;
    uint32_t valid_seconds; /* > 0 */
    uint32_t preferred_seconds;
};

struct wire_lease {
    struct wire_address address; /* of several the best: preferred, and of global scope before unique local */
    struct wire_address server;  /* option 54; none with DHCPv6 */
    uint8_t prefix_length;       /* 128 with DHCPv6 */
    uint8_t ignores_routers;     /* 0 or 1: option 121 was there, so option 3 does not count (RFC 3442) */
    uint16_t mtu;                /* option 26; 0: not said, as always with DHCPv6 */
    uint32_t valid_seconds;      /* from the moment that the message was made; > 0 */
    uint32_t preferred_seconds;
    uint32_t renewal_seconds;   /* T1; 0: not said */
    uint32_t rebinding_seconds; /* T2; 0: not said */
    uint32_t router_count;
    uint32_t route_count;
    struct wire_address routers[LEASE_ROUTERS_MAX]; /* unused ones all zero */
    struct wire_route routes[LEASE_ROUTES_MAX];     /* unused ones all zero */
    uint32_t further_count;                         /* addresses of the same IA_NA, each a /128; none with DHCPv4 */
    struct wire_leased_address further[LEASE_FURTHER_MAX]; /* no address twice; unused ones all zero */
};

enum lease_event_kind {
    LEASE_EVENT_HELD = 1, /* `lease` is ours: new, renewed or confirmed */
    LEASE_EVENT_LOST,     /* there is none any more: expired, refused by the server, lost to another host */
    LEASE_EVENT_STOPPED,  /* dhcpcd is ending, or ends one family: its leases go on */
    LEASE_EVENT_PROGRESS, /* nothing of the above: it started, or the link came or went */
    LEASE_EVENT_RELEASED, /* dhcpcd is ending and has given its leases back, of whichever family */
    LEASE_EVENT_UNUSABLE, /* dhcpcd holds something that no lease can be made of: `problem` says why */
    LEASE_EVENT_MAX_,
};

struct message_lease_event { /* anchord-lease -> supervisor, one per connection */
    struct message_header header;
    uint32_t kind;   /* enum lease_event_kind */
    uint32_t family; /* enum ip_family; none only with PROGRESS, STOPPED and RELEASED */
    char interface[INTERFACE_NAME_SIZE];
    char reason[LEASE_REASON_SIZE];
    uint32_t is_carrier_down;  /* 0 or 1 */
    struct wire_lease lease;   /* of HELD, else all zero */
    char problem[REASON_SIZE]; /* of UNUSABLE: dhcpcd's variable and what is wrong with it; else empty */
};

struct message_lease {            /* supervisor -> netadmin: complete, per family; again after netadmin's restart */
    struct message_header header; /* generation: counts up with each lease of the family */
    uint32_t family;              /* enum ip_family */
    uint32_t is_held;             /* 0: none, the bootstrap address is to come back, and `lease` is all zero */
    uint64_t received;            /* microseconds of CLOCK_BOOTTIME: its lifetimes count from here */
    struct wire_lease lease;
    uint32_t reserved;
};

/* netadmin -> supervisor: the answer to each LEASE, once its address is usable; again, with an error, when what was
 * taken cannot serve any more. */
struct message_lease_applied {
    struct message_header header; /* generation of the LEASE */
    uint32_t family;
    int32_t error;            /* 0, or a negative errno: the lease is refused; at first, what was there stays */
    char reason[REASON_SIZE]; /* empty without an error */
};

struct message_external_link { /* netadmin -> supervisor: the link that a DHCP client may use now, or that there is none
                                */
    struct message_header header;
    uint32_t index; /* 0: none, and the next two are zero */
    uint32_t is_running;
    char name[INTERFACE_NAME_SIZE];
    uint32_t has_links; /* whether the namespace has any besides `lo` (SA-6) */
    uint32_t reserved;
};

static_assert(sizeof(struct wire_route) == 44, "wire layout");
static_assert(sizeof(struct wire_leased_address) == 28, "wire layout");
static_assert(offsetof(struct wire_lease, mtu) == 42, "wire layout");
static_assert(offsetof(struct wire_lease, routers) == 68, "wire layout");
static_assert(offsetof(struct wire_lease, further_count) == 68 + 20 * LEASE_ROUTERS_MAX + 44 * LEASE_ROUTES_MAX,
              "wire layout");
static_assert(sizeof(struct wire_lease) == offsetof(struct wire_lease, further_count) + 4 +
                                               sizeof(struct wire_leased_address) * LEASE_FURTHER_MAX,
              "wire layout");
static_assert(sizeof(struct message_lease_event) == 24 + 8 + 32 + 4 + sizeof(struct wire_lease) + REASON_SIZE,
              "wire layout");
static_assert(sizeof(struct message_lease) == 24 + 16 + sizeof(struct wire_lease) + 4, "wire layout");
static_assert(sizeof(struct message_lease_applied) == 24 + 8 + REASON_SIZE, "wire layout");
static_assert(sizeof(struct message_external_link) == 24 + 16 + INTERFACE_NAME_SIZE, "wire layout");
