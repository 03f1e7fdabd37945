/*
 * What every message is made of: limits, types, directions, the header, the values that stand in messages. The part of
 * messages.h on which the others stand; that is the one to include.
 */
#pragma once

#include "common/address.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAGIC   UINT32_C(0x616e6368) /* "anch" */
#define MESSAGE_VERSION UINT16_C(2)

/* The largest datagram; a receiver's buffer has this size, whatever is longer ends the connection. */
#define MESSAGE_LENGTH_MAX 16384

/* The fixed descriptor on which every worker finds its supervisor. */
#define SUPERVISOR_DESCRIPTOR 3

/* Limits on what others can make grow; each has a test at the limit and one past it. */
#define NAME_SIZE             128 /* names of networks, projects, containers; with the NUL */
#define INTERFACE_NAME_SIZE   16  /* IFNAMSIZ, linux/if.h */
#define DOCKER_HOST_SIZE      256
#define CONTAINER_ID_SIZE     72 /* 64 hexadecimal digits; with the NUL and padding to eight bytes */
#define REASON_SIZE           160
#define HOST_NAME_SIZE        254 /* RFC 1035 §2.3.4: 253 characters as text; with the NUL */
#define GATEWAYS_MAX          16  /* per family and look-up; more are not reported */
#define SUBNETS_MAX           4   /* per Docker network */
#define LINK_ADDRESSES_MAX    16  /* per link; more are not reported */
#define LINKS_MAX             80  /* per namespace, those of attach and a kernel's own; more are not reported */
#define EXPOSURES_PER_MESSAGE 512
#define LINKS_PER_MESSAGE     16
#define HELD_PER_MESSAGE      64
#define HELD_MAX              256 /* addresses that are announced; more are not */
#define WORKERS_MAX           10  /* that a supervisor runs, DHCP clients included */
#define FINDING_REASON_SIZE   448
#define FINDINGS_PER_MESSAGE  20
#define FINDINGS_MAX          4096 /* that status shows; so many fit into a channel's queue */
#define COUNTED_PORTS_MAX     1024 /* ports and ranges of which it is told what went through them (SEE-4) */
#define COUNTERS_PER_MESSAGE  500
#define MAP_ELEMENTS_MAX      65536 /* over both families and protocols (DESIGN §1) */

enum message_type {
    MESSAGE_INVALID = 0,
    /* supervisor -> any worker */
    MESSAGE_PING,
    MESSAGE_LINK, /* with one descriptor: the channel to the peer that `peer` names */
    MESSAGE_STOP,
    /* supervisor -> watcher */
    MESSAGE_CONFIGURE_WATCHER,
    /* supervisor -> netadmin */
    MESSAGE_CONFIGURE_NETADMIN,
    MESSAGE_TOPOLOGY, /* also watcher -> supervisor, which pins the first final one, and -> keeper */
    /* any worker -> supervisor */
    MESSAGE_PONG,
    MESSAGE_READINESS,
    /* watcher -> netadmin */
    MESSAGE_EXPOSURES_BEGIN,
    MESSAGE_EXPOSURES_ITEMS,
    MESSAGE_EXPOSURES_COMMIT,
    /* netadmin -> watcher */
    MESSAGE_LINKS_BEGIN,
    MESSAGE_LINKS_ITEMS,
    MESSAGE_LINKS_COMMIT,
    MESSAGE_MAP_BEGIN, /* what the kernel's maps hold now: how a new watcher learns the incumbents (NAT-6) */
    MESSAGE_MAP_ITEMS,
    MESSAGE_MAP_COMMIT,
    MESSAGE_APPLIED,
    /* supervisor -> announcer */
    MESSAGE_CONFIGURE_ANNOUNCER,
    MESSAGE_RAW_SOCKET, /* with one descriptor: a raw socket that only root could open */
    /* netadmin -> announcer */
    MESSAGE_HELD_BEGIN, /* the addresses that we hold and shall announce (ADDR-12) */
    MESSAGE_HELD_ITEMS,
    MESSAGE_HELD_COMMIT,
    MESSAGE_PROBE, /* does anybody else have this address? (GW-1) */
    /* announcer -> netadmin */
    MESSAGE_PROBED,
    /* supervisor -> resolver */
    MESSAGE_CONFIGURE_RESOLVER,
    /* resolver -> way */
    MESSAGE_GATEWAYS, /* one look-up's whole result (SA-1) */
    /* supervisor -> control */
    MESSAGE_CONFIGURE_CONTROL, /* with one descriptor: the listening control socket */
    MESSAGE_SUPERVISION,
    /* watcher -> control, keeper -> control */
    MESSAGE_FINDINGS_BEGIN, /* what became of each container's labels, for people */
    MESSAGE_FINDINGS_ITEMS,
    MESSAGE_FINDINGS_COMMIT,
    /* netadmin or way -> control */
    MESSAGE_NETWORK_REPORT,
    /* supervisor -> any worker */
    MESSAGE_METRICS_PAGE, /* with one descriptor: a page of protocol/metrics.h */
    /* supervisor -> exporter */
    MESSAGE_CONFIGURE_EXPORTER, /* with one descriptor: the listening socket */
    /* DHCP; see messages_lease.h */
    MESSAGE_LEASE_EVENT,   /* anchord-lease -> supervisor */
    MESSAGE_LEASE,         /* supervisor -> netadmin */
    MESSAGE_LEASE_APPLIED, /* netadmin -> supervisor */
    MESSAGE_EXTERNAL_LINK, /* netadmin -> supervisor */
    /* supervisor -> watcher or keeper, before its CONFIGURE_… */
    MESSAGE_DOCKER_CREDENTIAL, /* with one descriptor: a file of DOCKER_CERT_PATH */
    /* supervisor -> keeper; see messages_keeper.h */
    MESSAGE_CONFIGURE_KEEPER,
    /* watcher -> supervisor */
    MESSAGE_KEEPER_WANTED, /* a container in scope lives in another one's network namespace */
    /* supervisor -> keeper; see messages_keeper.h */
    MESSAGE_MANAGED_TARGET,
    /* announcer -> netadmin; see messages_router.h */
    MESSAGE_ADVERTISED,
    /* supervisor -> gate; see messages_gate.h */
    MESSAGE_CONFIGURE_GATE,
    MESSAGE_GATE_LISTENER, /* with one descriptor: a listening socket */
    /* supervisor -> way; see messages_way.h */
    MESSAGE_CONFIGURE_WAY,
    MESSAGE_WAY_SOCKET, /* with one descriptor: a netlink socket of a namespace; also namespaces -> way */
    /* supervisor -> namespaces; see messages_attach.h */
    MESSAGE_CONFIGURE_NAMESPACES,
    /* watcher -> namespaces */
    MESSAGE_NAMESPACE_WANTED,
    MESSAGE_NAMESPACE_LEFT,    /* the container has ended, or left the scope */
    MESSAGE_NAMESPACES_COMMIT, /* all that are wanted were named since the LINK: leave the others; to way: handed out */
    /* namespaces -> watcher */
    MESSAGE_NAMESPACE_ANSWER,
    /* namespaces -> way */
    MESSAGE_NAMESPACE_GONE,
    /* supervisor -> links; see messages_attach.h */
    MESSAGE_CONFIGURE_LINKS,
    MESSAGE_LINKS_IDENTITY, /* with one descriptor */
    /* watcher -> links */
    MESSAGE_BRIDGES,
    /* links -> watcher */
    MESSAGE_LINK_ANSWER,
    /* watcher -> links */
    MESSAGE_GUARDED,
    /* the two halves of attach, supervisor to supervisor; see messages_attach.h */
    MESSAGE_WELCOME,
    MESSAGE_HOST_WORKER_STARTED,
    MESSAGE_MEETING_LINK,      /* with one descriptor: the channel between a worker of each half */
    MESSAGE_SHARED_LINKS,      /* links -> both supervisors -> netadmin */
    MESSAGE_HOST_ADDRESSES,    /* links -> both supervisors -> netadmin and watcher */
    MESSAGE_PROJECT_ADDRESSES, /* netadmin -> both supervisors -> links */
    /* supervisor -> bans; see messages_bans.h */
    MESSAGE_CONFIGURE_BANS,
    MESSAGE_BAN_LISTENER, /* with one descriptor: a listening socket */
    /* bans -> netadmin */
    MESSAGE_BANS_BEGIN,        /* the whole list follows */
    MESSAGE_BAN_CHANGES_BEGIN, /* what has changed in it follows */
    MESSAGE_BANS_ITEMS,
    MESSAGE_BANS_COMMIT,
    /* netadmin -> bans */
    MESSAGE_BANS_APPLIED,
    /* whoever bans -> bans, and back */
    MESSAGE_BAN_REQUEST,
    MESSAGE_BAN_ANSWER,
    MESSAGE_BANS_LISTED,
    /* who may come in; see messages_guests.h */
    MESSAGE_EXPOSURES_GUESTS, /* watcher -> netadmin, beside EXPOSURES_ITEMS */
    MESSAGE_GUEST_TEXT,       /* supervisor -> watcher */
    /* netadmin -> control: what was counted (SEE-4) */
    MESSAGE_COUNTERS_BEGIN,
    MESSAGE_COUNTERS_ITEMS,
    MESSAGE_COUNTERS_COMMIT,
    MESSAGE_COUNTERS_WANTED, /* control -> netadmin; exporter -> supervisor -> netadmin */
    /* announcer -> netadmin */
    MESSAGE_CONTESTED, /* somebody else has an address of ours, too, or nobody any more (ADDR-13) */
    MESSAGE_TYPE_MAX_,
};

/* Who sends what: the receiver names the direction, validate.c knows which types travel in it. */
enum message_direction {
    DIRECTION_SUPERVISOR_TO_WATCHER,
    DIRECTION_SUPERVISOR_TO_NETADMIN,
    DIRECTION_WATCHER_TO_SUPERVISOR,
    DIRECTION_NETADMIN_TO_SUPERVISOR,
    DIRECTION_WATCHER_TO_NETADMIN,
    DIRECTION_NETADMIN_TO_WATCHER,
    DIRECTION_SUPERVISOR_TO_ANNOUNCER,
    DIRECTION_ANNOUNCER_TO_SUPERVISOR,
    DIRECTION_NETADMIN_TO_ANNOUNCER,
    DIRECTION_ANNOUNCER_TO_NETADMIN,
    DIRECTION_SUPERVISOR_TO_RESOLVER,
    DIRECTION_RESOLVER_TO_SUPERVISOR,
    DIRECTION_RESOLVER_TO_WAY,
    DIRECTION_WAY_TO_RESOLVER, /* nothing travels here yet: the resolver only reports */
    DIRECTION_SUPERVISOR_TO_CONTROL,
    DIRECTION_CONTROL_TO_SUPERVISOR,
    DIRECTION_WATCHER_TO_CONTROL,
    DIRECTION_NETADMIN_TO_CONTROL,
    DIRECTION_CONTROL_TO_WATCHER, /* nothing travels here: control only listens */
    DIRECTION_CONTROL_TO_NETADMIN,
    DIRECTION_SUPERVISOR_TO_EXPORTER,
    DIRECTION_EXPORTER_TO_SUPERVISOR,
    DIRECTION_LEASE_TO_SUPERVISOR, /* over the lease socket */
    DIRECTION_SUPERVISOR_TO_KEEPER,
    DIRECTION_KEEPER_TO_SUPERVISOR,
    DIRECTION_KEEPER_TO_CONTROL,
    DIRECTION_CONTROL_TO_KEEPER, /* nothing travels here: control only listens */
    DIRECTION_SUPERVISOR_TO_GATE,
    DIRECTION_GATE_TO_SUPERVISOR,
    DIRECTION_SUPERVISOR_TO_WAY,
    DIRECTION_WAY_TO_SUPERVISOR,
    DIRECTION_WAY_TO_CONTROL,
    DIRECTION_CONTROL_TO_WAY, /* nothing travels here: control only listens */
    DIRECTION_SUPERVISOR_TO_NAMESPACES,
    DIRECTION_NAMESPACES_TO_SUPERVISOR,
    DIRECTION_WATCHER_TO_NAMESPACES,
    DIRECTION_NAMESPACES_TO_WATCHER,
    DIRECTION_NAMESPACES_TO_WAY,
    DIRECTION_WAY_TO_NAMESPACES, /* nothing travels here: way only listens */
    DIRECTION_SUPERVISOR_TO_LINKS,
    DIRECTION_LINKS_TO_SUPERVISOR,
    DIRECTION_WATCHER_TO_LINKS,
    DIRECTION_LINKS_TO_WATCHER,
    DIRECTION_HOST_TO_IDENTITY, /* over the meeting's socket */
    DIRECTION_IDENTITY_TO_HOST,
    DIRECTION_SUPERVISOR_TO_BANS,
    DIRECTION_BANS_TO_SUPERVISOR,
    DIRECTION_BANS_TO_NETADMIN,
    DIRECTION_NETADMIN_TO_BANS,
    DIRECTION_BANNER_TO_BANS, /* over a ban socket: `anchord ban` */
    DIRECTION_BANS_TO_BANNER,
    DIRECTION_MAX_,
};

struct message_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint32_t length; /* of the whole datagram */
    uint32_t reserved;
    uint64_t generation; /* of the state that the message belongs to; 0 where there is none */
};

/* --- values ------------------------------------------------------------------------------------------ */

/* family 0: no address, all bytes zero. IPv4 uses the first four bytes, the rest is zero. */
struct wire_address {
    uint8_t family; /* enum ip_family */
    uint8_t reserved[3];
    uint8_t bytes[16];
};

struct wire_subnet {
    struct wire_address address; /* the subnet's first address */
    struct wire_address gateway; /* IPAM.Config[].Gateway; may be none */
    /* The auxiliary address DefaultGatewayIPv4/DefaultGatewayIPv6 (GW-1); may be none. */
    struct wire_address auxiliary_gateway;
    uint8_t prefix_length;
    uint8_t reserved[3];
};

/* A Docker network that this container is attached to. The interface is the one with this MAC (ADDR-9). */
struct wire_network {
    char name[NAME_SIZE]; /* for logs only */
    struct mac_address mac;
    uint8_t reserved[2];
    uint32_t subnet_count;
    struct wire_subnet subnets[SUBNETS_MAX];
    /* What Docker gave the own endpoint: the bootstrap addresses (ADDR-1); either may be none. */
    struct wire_address own4;
    struct wire_address own6;
};

enum exposure_access {
    EXPOSURE_OPEN = 1,
    EXPOSURE_WITHHELD, /* nothing new goes there; established TCP connections stay (DISC-7) */
    EXPOSURE_ACCESS_MAX_,
};

/* `port_first` … `port_last` of the project's address go to `backend` : `backend_port_first` … (NAT-1,
 * NAT-5). */
struct wire_exposure {
    uint8_t family;   /* enum ip_family */
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint16_t port_first;
    uint16_t port_last;
    uint16_t backend_port_first;
    uint8_t backend[16];
    uint8_t access; /* enum exposure_access */
    uint8_t reserved[3];
};

struct wire_link_address {
    struct wire_address address;
    uint8_t prefix_length;
    uint8_t reserved[3];
};

/* Kernel settings of a link that only the watcher can explain, since it knows the engine (ADDR-14, NAT-13).
 */
enum link_ipv6_flag {
    LINK_IPV6_DISABLED = 1 << 0,   /* net.ipv6.conf.IF.disable_ipv6 */
    LINK_IPV6_FORWARDS = 1 << 1,   /* net.ipv6.conf.IF.forwarding */
    LINK_IPV6_ACCEPTS_RA = 1 << 2, /* net.ipv6.conf.IF.accept_ra is 2, or 1 without forwarding */
    LINK_IPV6_IS_ASKED = 1 << 3,   /* no setting: the address mode wants IPv6 from the network (ADDR-2, ADDR-3) */
    LINK_IPV6_ALL_ = (1 << 4) - 1,
};

struct wire_link {
    uint32_t index;
    char name[INTERFACE_NAME_SIZE];
    struct mac_address mac;
    uint8_t ipv6_flags; /* enum link_ipv6_flag */
    uint8_t reserved;
    uint32_t address_count;
    struct wire_link_address addresses[LINK_ADDRESSES_MAX];
};

enum { FAMILY_INDEX_4, FAMILY_INDEX_6, FAMILY_INDEX_MAX_ };
enum { PROTOCOL_INDEX_TCP, PROTOCOL_INDEX_UDP, PROTOCOL_INDEX_MAX_ };

static_assert(sizeof(struct message_header) == 24, "wire layout");
static_assert(sizeof(struct mac_address) == 6, "wire layout");
static_assert(sizeof(struct wire_address) == 20, "wire layout");
static_assert(sizeof(struct wire_subnet) == 64, "wire layout");
static_assert(offsetof(struct wire_network, subnet_count) == 136, "wire layout");
static_assert(sizeof(struct wire_network) == 436, "wire layout");
static_assert(sizeof(struct wire_exposure) == 28, "wire layout");
static_assert(sizeof(struct wire_link) == 32 + 24 * LINK_ADDRESSES_MAX, "wire layout");

/* --- helpers for both ends ----------------------------------------------------------------------------- */

/* Fills a header for a message of `length` bytes in all. */
struct message_header message_header_make(enum message_type type, size_t length, uint64_t generation);

/* "EXPOSURES_BEGIN" …; "unknown" for a number that is no type. */
const char *message_type_to_string(unsigned int type);

struct wire_address wire_address_from(const struct ip_address *address);
struct ip_address wire_address_to(const struct wire_address *wire);
