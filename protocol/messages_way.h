/*
 * What keeps the way to the anchor in a backend's namespace: what anchord-way and the resolver are told, and what the
 * latter found (SA-1, SA-2). Included by messages.h, which is the one to include.
 */
#pragma once

#include "protocol/messages_parts.h"

#define WAY_NAMESPACES_MAX 256 /* that one anchord-way serves; a service-anchor's serves number 0 alone */

struct message_configure_way {
    struct message_header header;
    struct wire_address gateway4; /* ANCHORD_GATEWAY_IP; both none: the resolver tells */
    struct wire_address gateway6;
    uint32_t log_level;   /* enum log_level */
    uint32_t is_attached; /* 0 or 1: the gateways hold in every namespace, and are on no link's subnet (HOST-4) */
    struct mac_address inner_mac; /* what comes by the project has this source (HOST-5); zero unless attached */
    uint8_t reserved[2];
};

enum way_socket_kind {
    WAY_SOCKET_REQUESTS = 1, /* before the other one */
    WAY_SOCKET_MONITOR,      /* the last one; does not block */
    WAY_SOCKET_FILTER, /* under attach, between the two: NETLINK_NETFILTER (HOST-5); the others are NETLINK_ROUTE */
    WAY_SOCKET_MAX_,
};

/* WAY_SOCKET, after CONFIGURE_WAY; one descriptor travels with it: a netlink socket, not bound, that was opened with
 * CAP_NET_ADMIN in the namespace that is to be served. With the last one of a namespace it is served. */
struct message_way_socket {
    struct message_header header;
    uint32_t number; /* of the namespace, < WAY_NAMESPACES_MAX */
    uint32_t kind;   /* enum way_socket_kind */
};

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
    struct message_header header; /* generation: counts the changes that were found */
    struct wire_lookup v4;
    struct wire_lookup v6;
};

static_assert(sizeof(struct message_configure_way) == 24 + 40 + 8 + 8, "wire layout");
static_assert(sizeof(struct message_way_socket) == 32, "wire layout");
static_assert(sizeof(struct message_configure_resolver) == 24 + 256 + 8, "wire layout");
static_assert(sizeof(struct message_gateways) == 24 + 2 * (8 + 20 * GATEWAYS_MAX), "wire layout");
