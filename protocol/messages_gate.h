/*
 * What anchord-gate is told (WALL-7): the part of messages.h about Docker's socket. Included by messages.h, which is
 * the one to include.
 */
#pragma once

#include "protocol/messages_parts.h"

/* What the process at the other end of a listening socket of the gate may ask; one row of bits in workers/gate/table.c.
 */
enum gate_client {
    GATE_CLIENT_WATCHER = 1,
    GATE_CLIENT_KEEPER,          /* a network-anchor's: reports, and starts siblings that wait (LIFE-1, LIFE-4) */
    GATE_CLIENT_KEEPER_MANAGING, /* the same, with managed service-anchors (LIFE-2, LIFE-3) */
    GATE_CLIENT_KEEPER_WRAP,     /* a wrap-rebinder's (LIFE-6) */
    GATE_CLIENT_KEEPER_FOLLOW,   /* an external-rebinder's (LIFE-5) */
    GATE_CLIENT_MAX_,
};

/*
 * Room for a text of `size_` bytes as libcurl writes it into a query: each may become \u00XX in JSON, whose backslash
 * is three characters then; besides the key and the brackets.
 */
#define GATE_TEXT_SIZE(size_) ((size_)*8 + 64)

/* What the supervisor pins of requests, ready to be compared byte by byte (daemon/role/gate_scope.c). */
struct message_configure_gate {
    struct message_header header;
    char docker_socket[DOCKER_HOST_SIZE]; /* the path of Docker's socket */
    /* "label":["a=b","c"]: the scope of lists and events, a project or a selector (DISC-2), or a service (LIFE-5) */
    char labels[GATE_TEXT_SIZE(LABEL_SELECTOR_SIZE) + LABEL_SELECTOR_PAIRS_MAX * 16];
    /* In place of them, where this is not empty: */
    char event_labels[64]; /* of events, where Docker would lose those of the scope (label_selector.h) */
    char own[96];          /* "id":["8dfa…"], of the container that we run in: of who asks for everybody */
    /* LIFE-5; empty otherwise: the network as a word of JSON without its quotes, parts of a path */
    char follow_network[GATE_TEXT_SIZE(NAME_SIZE)];
    char follow_network_path[GATE_TEXT_SIZE(NAME_SIZE)];
    char follow_target_path[GATE_TEXT_SIZE(NAME_SIZE)];
    uint64_t log_level; /* enum log_level */
};

struct message_gate_listener { /* GATE_LISTENER; one descriptor travels with it: a listening unix socket */
    struct message_header header;
    uint32_t client; /* enum gate_client: whose socket it is */
    uint32_t user;   /* the only one who may connect */
};

static_assert(sizeof(struct message_configure_gate) <= MESSAGE_LENGTH_MAX &&
                  sizeof(struct message_configure_gate) % 8 == 0,
              "it is one datagram");
static_assert(sizeof(struct message_gate_listener) == 32, "wire layout");
