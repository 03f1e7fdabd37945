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

static_assert(sizeof(struct message_configure_links) == 24 + 128 + 16 + 256 + 12 + 12, "wire layout");
static_assert(sizeof(struct message_identity) == 32, "wire layout");
static_assert(sizeof(struct wire_bridge) == 216, "wire layout");
static_assert(sizeof(struct message_bridges) == 32 + 216 * BRIDGES_MAX &&
                  sizeof(struct message_bridges) <= MESSAGE_LENGTH_MAX,
              "wire layout");
static_assert(sizeof(struct message_link_answer) == 24 + 72 + 16 + 8 + REASON_SIZE, "wire layout");

static_assert(sizeof(struct message_configure_namespaces) == 32, "wire layout");
static_assert(sizeof(struct message_container) == 24 + CONTAINER_ID_SIZE + 8, "wire layout");
static_assert(sizeof(struct message_namespace_answer) == 24 + CONTAINER_ID_SIZE + 16 + REASON_SIZE, "wire layout");
static_assert(sizeof(struct message_namespace_gone) == 32, "wire layout");
