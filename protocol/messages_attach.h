/*
 * What the host half of attach is asked for (HOST-2, HOST-10): the part of messages.h about the network namespaces of
 * containers and the identity's links. Included by messages.h, which is the one to include.
 */
#pragma once

#include "protocol/messages_way.h"

/* Whose namespaces are handed out; several may share one. One namespace more is there for the moment in which that of a
 * container that was started anew takes the old one's place. */
#define CONTAINERS_SERVED_MAX (WAY_NAMESPACES_MAX - 1)

/* Which ports answer on the project's address (HOST-3). */
enum expose_from {
    EXPOSE_FROM_LABELS = 1 << 0,
    EXPOSE_FROM_PUBLISHED = 1 << 1, /* on the host */
    EXPOSE_FROM_ALL_ = (1 << 2) - 1,
};

struct message_configure_namespaces {
    struct message_header header;
    uint32_t log_level; /* enum log_level */
    uint32_t reserved;
};

struct message_container { /* NAMESPACE_WANTED, NAMESPACE_LEFT */
    struct message_header header;
    char id[CONTAINER_ID_SIZE];
    uint32_t pid; /* of the container's first process; 0: it is to be found by the ID, and with NAMESPACE_LEFT */
    uint32_t reserved;
};

struct message_namespace_answer { /* to each NAMESPACE_WANTED; its header.generation is echoed */
    struct message_header header;
    char id[CONTAINER_ID_SIZE];
    uint64_t inode;  /* of the namespace, which names it; 0 with an error */
    uint32_t number; /* by which way knows it, < WAY_NAMESPACES_MAX; 0 with an error */
    int32_t error;   /* 0, or a negative errno */
    char reason[REASON_SIZE];
};

struct message_namespace_gone { /* to way, which closes its sockets of that namespace */
    struct message_header header;
    uint32_t number;
    uint32_t reserved;
};

/* --- links ----------------------------------------------------------------------------------------------- */

/* What the identity's links are called there; the shared ones with a number behind (HOST-2). */
#define IDENTITY_EXTERNAL_LINK "ancext"
#define IDENTITY_SHARED_LINKS  "ancin"
#define IDENTITY_HOST_LINK     "anchost"

#define BRIDGES_MAX       64 /* Docker networks on which containers of one project sit */
#define NAMED_BRIDGES_MAX 16 /* with a name that is not made of the network's ID */

/* Pinned: the first one counts. */
struct message_configure_links {
    struct message_header header;
    char project[NAME_SIZE];
    char parent[INTERFACE_NAME_SIZE];                           /* of the macvlan */
    char named_bridges[NAMED_BRIDGES_MAX][INTERFACE_NAME_SIZE]; /* the others are br-ID */
    struct mac_address external_mac;
    struct mac_address inner_mac; /* of all inner ends */
    uint32_t tag;                 /* of the project: the eight digits in names */
    struct wire_address next_hop; /* IPv4, in the identity: what the host's routes to the project go by (HOST-7) */
    uint32_t is_guarded;          /* 0 or 1: ANCHORD_GUARD (HOST-6) */
    uint32_t log_level;           /* enum log_level */
    uint32_t reserved;
};

enum identity_descriptor_kind {
    IDENTITY_NAMESPACE = 1, /* before the other one */
    IDENTITY_SOCKET,        /* an rtnetlink socket, not bound, that was opened there with CAP_NET_ADMIN */
    IDENTITY_DESCRIPTOR_MAX_,
};

struct message_identity { /* LINKS_IDENTITY; one descriptor travels with it */
    struct message_header header;
    uint32_t kind; /* enum identity_descriptor_kind */
    uint32_t reserved;
};

struct wire_bridge {
    char network_id[CONTAINER_ID_SIZE];
    char network[NAME_SIZE]; /* its name, for people */
    char bridge[INTERFACE_NAME_SIZE];
    uint32_t is_owned; /* 0 or 1: it carries the project's label, so all that are on it are closed in (HOST-6) */
};

struct message_bridges { /* the complete state: on which networks the identity has a link */
    struct message_header header;
    uint32_t count;
    uint32_t reserved;
    struct wire_bridge items[BRIDGES_MAX]; /* unused ones all zero */
};

/* Of each item, in its order, when it is another one than before; and of the external link, without an ID. */
struct message_link_answer {
    struct message_header header; /* the generation of the bridges */
    char network_id[CONTAINER_ID_SIZE];
    char name[INTERFACE_NAME_SIZE]; /* of the link in the identity; empty with an error */
    int32_t error;                  /* 0, or a negative errno */
    uint32_t reserved;
    char reason[REASON_SIZE];
};

/* --- guard (HOST-6) ---------------------------------------------------------------------------------------- */

#define GUARDED_MAX 512

struct wire_guarded { /* a container in scope, on a network that is shared with others */
    struct wire_address address;
    uint32_t bridge; /* number of its network in BRIDGES of the same generation */
};

struct message_guarded { /* watcher -> links, before the BRIDGES of that generation; complete state */
    struct message_header header;
    uint32_t count;
    uint32_t reserved;
    struct wire_guarded items[GUARDED_MAX]; /* unused ones all zero */
};

/* --- the meeting of the two halves (HOST-11) --------------------------------------------------------------- */

/* What links says of links and host, and netadmin of addresses, travels from supervisor to supervisor unchanged: the
 * complete state each time. */

struct message_welcome { /* the first message: who the identity is */
    struct message_header header;
    char project[NAME_SIZE];
    char parent[INTERFACE_NAME_SIZE]; /* on the host, for people */
    struct mac_address external_mac;
    struct mac_address inner_mac;
    uint32_t tag;
    struct wire_address next_hop; /* IPv4 */
    uint32_t client_hash[2];      /* for the DHCP client identifier */
    uint32_t reserved;
};

enum host_worker {
    HOST_WORKER_LINKS = 1,
    HOST_WORKER_NAMESPACES,
    HOST_WORKER_MAX_,
};

/* Also behind WELCOME, of those that run: the identity half then sends its MEETING_LINKs to that one. */
struct message_host_worker_started {
    struct message_header header;
    uint32_t worker; /* enum host_worker */
    uint32_t reserved;
};

struct message_meeting_link { /* one descriptor travels with it: the worker gets it by LINK */
    struct message_header header;
    uint32_t worker; /* enum host_worker */
    uint32_t peer;   /* LINK_PEER_WATCHER, or LINK_PEER_WAY of namespaces: whose end the other one is */
};

#define SHARED_LINKS_MAX BRIDGES_MAX

/* A link of the identity to a Docker network, as links made it and saw its bridge on the host. */
struct wire_shared_link {
    uint32_t number;                /* < SHARED_LINKS_MAX */
    char name[INTERFACE_NAME_SIZE]; /* in the identity */
    uint32_t mtu;
    uint32_t subnet_count;                         /* may be 0 */
    struct wire_link_address subnets[SUBNETS_MAX]; /* of the bridge's addresses, without link-local ones */
    char network_id[CONTAINER_ID_SIZE];
};

struct message_shared_links {
    struct message_header header;
    uint32_t count;
    uint32_t reserved;
    struct wire_shared_link items[SHARED_LINKS_MAX]; /* unused ones all zero */
};

#define HOST_ADDRESSES_MAX 64

struct wire_host_address {
    struct wire_address address;
    uint8_t is_on_parent; /* 0 or 1 */
    uint8_t reserved[3];
};

struct message_host_addresses { /* without loopback and link-local */
    struct message_header header;
    uint32_t count;
    struct mac_address host_mac; /* of the host's end of the link to it, whose link-local address is the next hop of
                                  * IPv6; zero: there is no such link */
    uint8_t reserved[6];
    struct wire_host_address items[HOST_ADDRESSES_MAX]; /* unused ones all zero */
};

#define PROJECT_ADDRESSES_MAX 16

struct message_project_addresses { /* what the identity answers at, for the host's routes to it (HOST-7) */
    struct message_header header;
    uint32_t count;
    uint32_t reserved;
    struct wire_address items[PROJECT_ADDRESSES_MAX]; /* unused ones all zero */
};

static_assert(sizeof(struct message_guarded) == 32 + 24 * GUARDED_MAX &&
                  sizeof(struct message_guarded) <= MESSAGE_LENGTH_MAX,
              "wire layout");
static_assert(sizeof(struct message_welcome) == 24 + 128 + 16 + 12 + 4 + 20 + 8 + 4, "wire layout");
static_assert(sizeof(struct message_host_worker_started) == 32, "wire layout");
static_assert(sizeof(struct message_meeting_link) == 32, "wire layout");
static_assert(sizeof(struct wire_shared_link) == 28 + 24 * SUBNETS_MAX + 72, "wire layout");
static_assert(sizeof(struct message_shared_links) == 32 + 196 * SHARED_LINKS_MAX &&
                  sizeof(struct message_shared_links) <= MESSAGE_LENGTH_MAX,
              "wire layout");
static_assert(sizeof(struct message_host_addresses) == 40 + 24 * HOST_ADDRESSES_MAX, "wire layout");
static_assert(sizeof(struct message_project_addresses) == 32 + 20 * PROJECT_ADDRESSES_MAX, "wire layout");

static_assert(sizeof(struct message_configure_links) == 24 + 128 + 16 + 256 + 12 + 4 + 20 + 12, "wire layout");
static_assert(sizeof(struct message_identity) == 32, "wire layout");
static_assert(sizeof(struct wire_bridge) == 220, "wire layout");
static_assert(sizeof(struct message_bridges) == 32 + 220 * BRIDGES_MAX &&
                  sizeof(struct message_bridges) <= MESSAGE_LENGTH_MAX,
              "wire layout");
static_assert(sizeof(struct message_link_answer) == 24 + 72 + 16 + 8 + REASON_SIZE, "wire layout");

static_assert(sizeof(struct message_configure_namespaces) == 32, "wire layout");
static_assert(sizeof(struct message_container) == 24 + CONTAINER_ID_SIZE + 8, "wire layout");
static_assert(sizeof(struct message_namespace_answer) == 24 + CONTAINER_ID_SIZE + 16 + REASON_SIZE, "wire layout");
static_assert(sizeof(struct message_namespace_gone) == 32, "wire layout");
