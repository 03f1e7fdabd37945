/*
 * Every message that crosses a process boundary, in one header (DESIGN §5).
 *
 * SOCK_SEQPACKET: one datagram is one message. All processes run on one machine from one build, so fields
 * are in host byte order, fixed width and naturally aligned; addresses and MACs are bytes as on the network.
 * protocol/validate.c holds the one table that says which message may travel in which direction, with which
 * length and how many descriptors. Behind message_validate() a message is a checked struct; nobody looks at
 * raw bytes again. protocol/README.md tells the conversations.
 *
 * A state is level-triggered: BEGIN, ITEMS …, COMMIT with one generation; it is complete, replaces the one
 * before at COMMIT, and may be sent again at any time (after a restart it is).
 */
#pragma once

#include "protocol/label_selector.h"
#include "protocol/messages_attach.h"  // IWYU pragma: export
#include "protocol/messages_bans.h"    // IWYU pragma: export
#include "protocol/messages_control.h" // IWYU pragma: export
#include "protocol/messages_gate.h"    // IWYU pragma: export
#include "protocol/messages_guests.h"  // IWYU pragma: export
#include "protocol/messages_keeper.h"  // IWYU pragma: export
#include "protocol/messages_lease.h"   // IWYU pragma: export
#include "protocol/messages_parts.h"   // IWYU pragma: export
#include "protocol/messages_router.h"  // IWYU pragma: export
#include "protocol/messages_way.h"     // IWYU pragma: export

#include <assert.h>

/* --- supervisor and workers ------------------------------------------------------------------------- */

struct message_ping { /* PING, PONG, whose generation is echoed; KEEPER_WANTED, NAMESPACES_COMMIT, COUNTERS_WANTED */
    struct message_header header;
};

enum link_peer {
    LINK_PEER_WATCHER = 1,
    LINK_PEER_NETADMIN,
    LINK_PEER_ANNOUNCER,
    LINK_PEER_RESOLVER,
    LINK_PEER_CONTROL,
    LINK_PEER_KEEPER,
    LINK_PEER_WAY,
    LINK_PEER_LINKS, /* of the host half: so watcher and way know what the meeting brought (HOST-11) */
    LINK_PEER_NAMESPACES,
    LINK_PEER_BANS,
    LINK_PEER_MAX_,
};

struct message_link { /* one descriptor travels with it */
    struct message_header header;
    uint32_t peer; /* enum link_peer */
    uint32_t reserved;
};

enum stop_mode {
    STOP_KEEP_STATE = 1, /* leave the kernel as it is: a successor will adopt it (NAT-14) */
    STOP_TEAR_DOWN,      /* an ordered stop: remove what we installed */
    STOP_LEAVE_CLOSED,   /* the same, but nothing passes afterwards (WALL-3): it ends, or a successor comes */
    STOP_MODE_MAX_,
};

struct message_stop {
    struct message_header header;
    uint32_t mode; /* enum stop_mode */
    uint32_t reserved;
};

/* What /readyz and `anchord healthcheck` will show; bits of message_readiness.conditions (SPEC §8). */
enum readiness_condition {
    READINESS_TABLES_INSTALLED = 1 << 0, /* netadmin */
    READINESS_RECONCILED = 1 << 1,       /* netadmin: one complete desired state was applied */
    READINESS_DOCKER_CONNECTED = 1 << 2, /* watcher; of a rebinder the keeper */
    READINESS_ROUTE_INSTALLED = 1 << 3,  /* way: one family is enough */
    READINESS_LINKS_PRESENT = 1 << 4,    /* way: the namespace has more than lo (SA-6) */
    READINESS_LINKS_MADE = 1 << 5,       /* netadmin under attach: the links that it was told of (HOST-12) */
    READINESS_WAYS_INSTALLED = 1 << 6,   /* way under attach: in every namespace, once all were handed out (HOST-12) */
    READINESS_ALL_ = (1 << 7) - 1,
};

struct message_readiness {
    struct message_header header;
    uint32_t conditions; /* those that hold, of this worker's */
    uint32_t reserved;
};

enum docker_credential {
    DOCKER_CREDENTIAL_CA = 1,      /* ca.pem: who may have signed the engine's certificate */
    DOCKER_CREDENTIAL_CERTIFICATE, /* cert.pem: ours */
    DOCKER_CREDENTIAL_KEY,         /* key.pem */
    DOCKER_CREDENTIAL_MAX_,
};

#define DOCKER_CREDENTIAL_LENGTH_MAX 65536

/* One descriptor travels with it, of a file to be read from its start. All three, or none: then there is no TLS. */
struct message_docker_credential {
    struct message_header header;
    uint32_t kind; /* enum docker_credential */
    uint32_t reserved;
};

struct message_configure_watcher {
    struct message_header header;
    char docker_host[DOCKER_HOST_SIZE];           /* DOCKER_HOST: what people know, for the log */
    char asked_at[DOCKER_HOST_SIZE];              /* where Docker is asked: the same, or the gate's socket */
    char project[NAME_SIZE];                      /* Compose project whose containers are in scope, or empty */
    char label_selector[LABEL_SELECTOR_SIZE];     /* not empty: decides about the scope alone (DISC-2) */
    char external_network[NAME_SIZE];             /* Docker network, or empty */
    char external_interface[INTERFACE_NAME_SIZE]; /* used when external_network is empty */
    char shared_network[NAME_SIZE];               /* pinned shared network, or empty */
    struct wire_address pinned_gateway4;          /* ANCHORD_EXT_GATEWAY_IP; may be none */
    uint32_t address_mode;                        /* enum address_mode */
    uint32_t poll_interval_milliseconds;          /* > 0 */
    uint32_t log_level;                           /* enum log_level */
    uint32_t is_attached;                         /* 0 or 1: no own container, no own network (HOST-2) */
    uint32_t expose_from;                         /* bits of enum expose_from; 0 unless attached */
};

enum address_mode {
    ADDRESS_MODE_BOOTSTRAP = 1, /* ADDR-1 */
    ADDRESS_MODE_DHCP_REFRESH,  /* ADDR-2 */
    ADDRESS_MODE_SLAAC_RA_ONLY, /* ADDR-3 */
    ADDRESS_MODE_MAX_,
};

enum anchor_role {
    ANCHOR_ROLE_NETWORK = 1,
    ANCHOR_ROLE_SERVICE,
    ANCHOR_ROLE_EXTERNAL_REBINDER,
    ANCHOR_ROLE_WRAP_REBINDER,
    ANCHOR_ROLE_ATTACH,
    ANCHOR_ROLE_ATTACH_HOST,
    ANCHOR_ROLE_MAX_,
};

#define VIA_HOST_MAX 16

struct message_configure_netadmin {
    struct message_header header;
    struct wire_address pinned_gateway4; /* ANCHORD_EXT_GATEWAY_IP; may be none */
    struct wire_address pinned_gateway6;
    uint32_t address_mode;        /* enum address_mode */
    uint32_t claim_gateway;       /* 0 or 1: ANCHORD_CLAIM_GATEWAY=auto (GW-1) */
    uint32_t log_level;           /* enum log_level */
    uint32_t is_attached;         /* 0 or 1: shared links come by SHARED_LINKS, no bootstrap address (HOST-2) */
    struct wire_address next_hop; /* IPv4, of every inner link; none unless attached */
    uint32_t via_host_count;      /* 0 unless attached */
    struct wire_link_address via_host[VIA_HOST_MAX]; /* ANCHORD_VIA_HOST (HOST-7), no host bits; unused ones all zero */
};

/*
 * Which of our interfaces is which (ADDR-9, DISC-4, GW-1). Until it is final another shared network may follow, and
 * nothing is exposed; after that the supervisor refuses another.
 */
struct message_topology {
    struct message_header header;
    struct wire_network external;
    struct wire_network shared; /* to netadmin all zero under attach: SHARED_LINKS has them */
    uint32_t is_final;          /* 0 or 1 */
    uint32_t reserved;
};

/* --- states: watcher and netadmin -------------------------------------------------------------------- */

struct message_begin { /* EXPOSURES_BEGIN, LINKS_BEGIN, MAP_BEGIN */
    struct message_header header;
};

struct message_commit { /* EXPOSURES_COMMIT, LINKS_COMMIT, MAP_COMMIT */
    struct message_header header;
    uint32_t item_count; /* of all kinds, that travelled since BEGIN; a state with another count is refused whole */
    uint32_t reserved;
};

struct message_exposures { /* EXPOSURES_ITEMS, MAP_ITEMS */
    struct message_header header;
    uint32_t item_count; /* 1 … EXPOSURES_PER_MESSAGE */
    uint32_t reserved;
    struct wire_exposure items[]; /* item_count of them */
};

struct message_links { /* LINKS_ITEMS */
    struct message_header header;
    uint32_t item_count; /* 1 … LINKS_PER_MESSAGE */
    uint32_t reserved;
    struct wire_link items[];
};

struct message_applied { /* header.generation: that of the exposures */
    struct message_header header;
    int32_t error;        /* 0, or a negative errno: nothing of this generation was applied */
    uint32_t lacks_lists; /* 0 or 1: this kernel has none, so ports that have one are left out (GUEST-1) */
    uint32_t entries[FAMILY_INDEX_MAX_][PROTOCOL_INDEX_MAX_]; /* map elements after it */
    uint32_t flushed[FAMILY_INDEX_MAX_];                      /* conntrack entries dropped by it (NAT-4) */
    char reason[REASON_SIZE];                                 /* empty without an error */
};

/* --- announcer ------------------------------------------------------------------------------------------ */

struct message_configure_announcer {
    struct message_header header;
    uint32_t log_level; /* enum log_level */
    uint32_t reserved;
};

enum raw_socket_kind {
    RAW_SOCKET_ARP = 1, /* AF_PACKET, SOCK_RAW, not bound and with protocol 0: receives nothing yet */
    RAW_SOCKET_ICMP6,   /* AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 */
    RAW_SOCKET_MAX_,
};

struct message_raw_socket { /* one descriptor travels with it */
    struct message_header header;
    uint32_t kind; /* enum raw_socket_kind */
    uint32_t reserved;
};

/* An address of ours on a link. */
struct wire_held {
    uint32_t index;                 /* of the interface */
    char name[INTERFACE_NAME_SIZE]; /* of the interface, for logs only */
    struct mac_address mac;
    uint8_t is_router; /* 0 or 1: to its link, in IPv6; what the kernel's own neighbour advertisements say, too */
    uint8_t reserved;
    struct wire_address address;
};

struct message_held { /* HELD_ITEMS */
    struct message_header header;
    uint32_t item_count; /* 1 … HELD_PER_MESSAGE */
    uint32_t reserved;
    struct wire_held items[];
};

struct message_probe { /* PROBE: asked of the link before the address is added */
    struct message_header header;
    struct wire_held target;
};

/*
 * From PROBE to PROBED. Three questions fit, so that two may be lost. RFC 5227 §1.1 waits 4 to 7 s because it must
 * suit any link; the shared network is a bridge inside one kernel, where the holder answers within a millisecond, and
 * until the address is claimed nothing of the project leaves.
 */
#define PROBE_DURATION_MILLISECONDS 200

struct message_probed { /* PROBED: the answer; CONTESTED: of an address that we hold, whenever that changes */
    struct message_header header;
    struct wire_held target;
    uint32_t is_held;          /* 0 or 1 */
    struct mac_address holder; /* zero when it is not */
    uint8_t reserved[6];
};

/* --- metrics and health (SPEC §7, §8) ---------------------------------------------------------------- */

/* Who writes a metrics page; each process its own and no other. */
enum metrics_writer {
    METRICS_WRITER_SUPERVISOR,
    METRICS_WRITER_WATCHER,
    METRICS_WRITER_NETADMIN,
    METRICS_WRITER_ANNOUNCER,
    METRICS_WRITER_RESOLVER,
    METRICS_WRITER_CONTROL,
    METRICS_WRITER_EXPORTER,
    METRICS_WRITER_KEEPER,
    METRICS_WRITER_GATE,
    METRICS_WRITER_WAY,
    METRICS_WRITER_BANS,
    METRICS_WRITER_MAX_,
};

enum metrics_access {
    METRICS_ACCESS_WRITE = 1, /* the receiver's own page */
    METRICS_ACCESS_READ,      /* the exporter's view of a page; the descriptor cannot be mapped for writing */
    METRICS_ACCESS_MAX_,
};

struct message_metrics_page { /* one descriptor travels with it */
    struct message_header header;
    uint32_t writer; /* enum metrics_writer */
    uint32_t access; /* enum metrics_access */
};

struct message_configure_exporter { /* one descriptor travels with it: a listening TCP socket */
    struct message_header header;
    uint32_t log_level; /* enum log_level */
    uint32_t reserved;
};

static_assert(sizeof(struct message_metrics_page) == 32, "wire layout");
static_assert(sizeof(struct message_configure_exporter) == 32, "wire layout");
static_assert(sizeof(struct message_link) == 32, "wire layout");
static_assert(sizeof(struct message_docker_credential) == 32, "wire layout");
static_assert(sizeof(struct message_configure_watcher) ==
                  24 + 2 * DOCKER_HOST_SIZE + 128 + LABEL_SELECTOR_SIZE + 128 + 16 + 128 + 20 + 20,
              "wire layout");
static_assert(sizeof(struct message_configure_netadmin) == 24 + 40 + 16 + 24 + 24 * VIA_HOST_MAX, "wire layout");
static_assert(sizeof(struct message_topology) == 24 + 2 * 436 + 8, "wire layout");
static_assert(offsetof(struct message_exposures, items) == 32, "wire layout");
static_assert(sizeof(struct message_applied) == 32 + 16 + 8 + REASON_SIZE, "wire layout");
static_assert(sizeof(struct wire_held) == 48, "wire layout");
static_assert(sizeof(struct message_held) == 32, "wire layout");
static_assert(sizeof(struct message_probed) == 24 + 48 + 16, "wire layout");
static_assert(sizeof(struct message_exposures) + EXPOSURES_PER_MESSAGE * sizeof(struct wire_exposure) <=
                  MESSAGE_LENGTH_MAX,
              "a full message of exposures fits");
static_assert(sizeof(struct message_links) + LINKS_PER_MESSAGE * sizeof(struct wire_link) <= MESSAGE_LENGTH_MAX,
              "a full message of links fits");

/* The name that people read of one bit of enum readiness_condition (SPEC §8), or NULL for one that nobody asks for. */
const char *readiness_condition_to_string(uint32_t condition);
