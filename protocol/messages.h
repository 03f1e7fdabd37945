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

#include "common/address.h"
#include "protocol/label_selector.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAGIC   UINT32_C(0x616e6368) /* "anch" */
#define MESSAGE_VERSION UINT16_C(1)

/* The largest datagram; a receiver's buffer has this size, whatever is longer ends the connection. */
#define MESSAGE_LENGTH_MAX 16384

/* The fixed descriptor on which every worker finds its supervisor. */
#define SUPERVISOR_DESCRIPTOR 3

/* Limits on what others can make grow; each has a test at the limit and one past it. */
#define NAME_SIZE             128 /* names of networks, projects, containers; with the NUL */
#define INTERFACE_NAME_SIZE   16  /* IFNAMSIZ, linux/if.h */
#define DOCKER_HOST_SIZE      256
#define REASON_SIZE           160
#define HOST_NAME_SIZE        254 /* RFC 1035 §2.3.4: 253 characters as text; with the NUL */
#define GATEWAYS_MAX          16  /* per family and look-up; more are not reported */
#define SUBNETS_MAX           4   /* per Docker network */
#define LINK_ADDRESSES_MAX    16  /* per link; more are not reported */
#define LINKS_MAX             64  /* per namespace; more are not reported */
#define EXPOSURES_PER_MESSAGE 512
#define LINKS_PER_MESSAGE     16
#define HELD_PER_MESSAGE      64
#define HELD_MAX              256 /* addresses that are announced; more are not */
#define WORKERS_MAX           10  /* that a supervisor runs, DHCP clients included */
#define FINDING_REASON_SIZE   448
#define FINDINGS_PER_MESSAGE  20
#define FINDINGS_MAX          4096  /* that status shows; so many fit into a channel's queue */
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
    /* resolver -> netadmin */
    MESSAGE_GATEWAYS, /* one look-up's whole result (SA-1) */
    /* supervisor -> control */
    MESSAGE_CONFIGURE_CONTROL, /* with one descriptor: the listening control socket */
    MESSAGE_SUPERVISION,
    /* watcher -> control, keeper -> control */
    MESSAGE_FINDINGS_BEGIN, /* what became of each container's labels, for people */
    MESSAGE_FINDINGS_ITEMS,
    MESSAGE_FINDINGS_COMMIT,
    /* netadmin -> control */
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
    DIRECTION_RESOLVER_TO_NETADMIN,
    DIRECTION_NETADMIN_TO_RESOLVER, /* nothing travels here yet: the resolver only reports */
    DIRECTION_SUPERVISOR_TO_CONTROL,
    DIRECTION_CONTROL_TO_SUPERVISOR,
    DIRECTION_WATCHER_TO_CONTROL,
    DIRECTION_NETADMIN_TO_CONTROL,
    DIRECTION_CONTROL_TO_WATCHER, /* nothing travels in these two: control only listens */
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

/* --- parts ------------------------------------------------------------------------------------------- */

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

/* --- supervisor and workers ------------------------------------------------------------------------- */

struct message_ping { /* PING, PONG, whose generation is echoed; KEEPER_WANTED */
    struct message_header header;
};

enum link_peer {
    LINK_PEER_WATCHER = 1,
    LINK_PEER_NETADMIN,
    LINK_PEER_ANNOUNCER,
    LINK_PEER_RESOLVER,
    LINK_PEER_CONTROL,
    LINK_PEER_KEEPER,
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
    READINESS_ROUTE_INSTALLED = 1 << 3,  /* netadmin of a service-anchor: one family is enough */
    READINESS_LINKS_PRESENT = 1 << 4,    /* netadmin of a service-anchor: the namespace has more than lo (SA-6) */
    READINESS_ALL_ = (1 << 5) - 1,
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
    ANCHOR_ROLE_MAX_,
};

struct message_configure_netadmin {
    struct message_header header;
    /* ANCHORD_EXT_GATEWAY_IP of a network-anchor, ANCHORD_GATEWAY_IP of a service-anchor; may be none. */
    struct wire_address pinned_gateway4;
    struct wire_address pinned_gateway6;
    uint32_t address_mode;  /* enum address_mode */
    uint32_t claim_gateway; /* 0 or 1: ANCHORD_CLAIM_GATEWAY=auto (GW-1) */
    uint32_t log_level;     /* enum log_level */
    uint32_t role;          /* enum anchor_role */
};

/*
 * Which of our interfaces is which (ADDR-9, DISC-4, GW-1). Until it is final another shared network may follow, and
 * nothing is exposed; after that the supervisor refuses another.
 */
struct message_topology {
    struct message_header header;
    struct wire_network external;
    struct wire_network shared;
    uint32_t is_final; /* 0 or 1 */
    uint32_t reserved;
};

/* --- states: watcher and netadmin -------------------------------------------------------------------- */

struct message_begin { /* EXPOSURES_BEGIN, LINKS_BEGIN, MAP_BEGIN */
    struct message_header header;
};

struct message_commit { /* EXPOSURES_COMMIT, LINKS_COMMIT, MAP_COMMIT */
    struct message_header header;
    uint32_t item_count; /* that travelled since BEGIN; a state with another count is refused whole */
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

enum { FAMILY_INDEX_4, FAMILY_INDEX_6, FAMILY_INDEX_MAX_ };
enum { PROTOCOL_INDEX_TCP, PROTOCOL_INDEX_UDP, PROTOCOL_INDEX_MAX_ };

struct message_applied { /* header.generation: that of the exposures */
    struct message_header header;
    int32_t error; /* 0, or a negative errno: nothing of this generation was applied */
    uint32_t reserved;
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

struct message_probed { /* PROBED: the answer */
    struct message_header header;
    struct wire_held target;
    uint32_t is_held;          /* 0 or 1 */
    struct mac_address holder; /* zero when it is not */
    uint8_t reserved[6];
};

/* --- resolver (service-anchor) ----------------------------------------------------------------------- */

struct message_configure_resolver {
    struct message_header header;
    char host_name[HOST_NAME_SIZE]; /* ANCHORD_GATEWAY_HOSTNAME; not empty */
    uint8_t reserved[2];
    uint32_t interval_milliseconds; /* > 0 */
    uint32_t log_level;             /* enum log_level */
};

enum lookup_outcome {
    LOOKUP_FAILED = 1, /* no answer: what was there stays (SA-2) */
    LOOKUP_ANSWERED,   /* `count` addresses; 0: the name has none of this family */
    LOOKUP_OUTCOME_MAX_,
};

struct wire_lookup {
    uint32_t outcome; /* enum lookup_outcome */
    uint32_t count;
    struct wire_address addresses[GATEWAYS_MAX]; /* unused ones all zero */
};

struct message_gateways {
    struct message_header header; /* generation: counts the look-ups */
    struct wire_lookup v4;
    struct wire_lookup v6;
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
static_assert(sizeof(struct message_configure_resolver) == 24 + 256 + 8, "wire layout");
static_assert(sizeof(struct message_gateways) == 24 + 2 * (8 + 20 * GATEWAYS_MAX), "wire layout");
static_assert(sizeof(struct message_header) == 24, "wire layout");
static_assert(sizeof(struct mac_address) == 6, "wire layout");
static_assert(sizeof(struct wire_address) == 20, "wire layout");
static_assert(sizeof(struct wire_subnet) == 64, "wire layout");
static_assert(offsetof(struct wire_network, subnet_count) == 136, "wire layout");
static_assert(sizeof(struct wire_network) == 436, "wire layout");
static_assert(sizeof(struct wire_exposure) == 28, "wire layout");
static_assert(sizeof(struct wire_link) == 32 + 24 * LINK_ADDRESSES_MAX, "wire layout");
static_assert(sizeof(struct message_link) == 32, "wire layout");
static_assert(sizeof(struct message_docker_credential) == 32, "wire layout");
static_assert(sizeof(struct message_configure_watcher) ==
                  24 + 2 * DOCKER_HOST_SIZE + 128 + LABEL_SELECTOR_SIZE + 128 + 16 + 128 + 20 + 12,
              "wire layout");
static_assert(sizeof(struct message_configure_netadmin) == 24 + 40 + 16, "wire layout");
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

#include "protocol/messages_control.h" // IWYU pragma: export
#include "protocol/messages_gate.h"    // IWYU pragma: export
#include "protocol/messages_keeper.h"  // IWYU pragma: export
#include "protocol/messages_lease.h"   // IWYU pragma: export
#include "protocol/messages_router.h"  // IWYU pragma: export

/* --- helpers for both ends ----------------------------------------------------------------------------- */

/* Fills a header for a message of `length` bytes in all. */
struct message_header message_header_make(enum message_type type, size_t length, uint64_t generation);

/* The name that people read of one bit of enum readiness_condition (SPEC §8), or NULL for one that nobody asks for. */
const char *readiness_condition_to_string(uint32_t condition);

/* "EXPOSURES_BEGIN" …; "unknown" for a number that is no type. */
const char *message_type_to_string(unsigned int type);

struct wire_address wire_address_from(const struct ip_address *address);
struct ip_address wire_address_to(const struct wire_address *wire);
