/*
 * What the host half of attach is asked for (HOST-10): the part of messages.h about the network namespaces of
 * containers. Included by messages.h, which is the one to include.
 */
#pragma once

#include "protocol/messages_way.h"

/* Whose namespaces are handed out; several may share one. One namespace more is there for the moment in which that of a
 * container that was started anew takes the old one's place. */
#define CONTAINERS_SERVED_MAX (WAY_NAMESPACES_MAX - 1)

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

static_assert(sizeof(struct message_configure_namespaces) == 32, "wire layout");
static_assert(sizeof(struct message_container) == 24 + CONTAINER_ID_SIZE + 8, "wire layout");
static_assert(sizeof(struct message_namespace_answer) == 24 + CONTAINER_ID_SIZE + 16 + REASON_SIZE, "wire layout");
static_assert(sizeof(struct message_namespace_gone) == 32, "wire layout");
