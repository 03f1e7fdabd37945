/*
 * What anchord-gate is told (WALL-7): the part of messages.h about Docker's socket. Included by messages.h, which is
 * the one to include.
 */
#pragma once

#include "protocol/messages.h"

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

/* 64 hexadecimal digits; with the NUL and padding to eight bytes. */
#define CONTAINER_ID_SIZE 72

struct message_configure_gate {
    struct message_header header;
    char docker_socket[DOCKER_HOST_SIZE];     /* the path of Docker's socket */
    char project[NAME_SIZE];                  /* the scope: this Compose project, or … */
    char label_selector[LABEL_SELECTOR_SIZE]; /* … this one alone when it is not empty (DISC-2) */
    char own_id[CONTAINER_ID_SIZE];           /* of the container that we run in; empty: not known */
    char follow_network[NAME_SIZE];           /* LIFE-5; empty otherwise, as the next one */
    char follow_target[NAME_SIZE];
    uint32_t log_level; /* enum log_level */
    uint32_t reserved;
};

struct message_gate_listener { /* GATE_LISTENER; one descriptor travels with it: a listening unix socket */
    struct message_header header;
    uint32_t client; /* enum gate_client: whose socket it is */
    uint32_t user;   /* the only one who may connect */
};

static_assert(sizeof(struct message_configure_gate) ==
                  24 + DOCKER_HOST_SIZE + 3 * NAME_SIZE + LABEL_SELECTOR_SIZE + CONTAINER_ID_SIZE + 8,
              "wire layout");
static_assert(sizeof(struct message_gate_listener) == 32, "wire layout");
