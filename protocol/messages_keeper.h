/*
 * What the keeper is told: the part of messages.h that repairs what recreated containers leave behind (SPEC §6).
 * Included by messages.h, which is the one to include.
 */
#pragma once

#include "protocol/label_selector.h"
#include "protocol/messages_parts.h"

struct message_configure_keeper {
    struct message_header header;
    char docker_host[DOCKER_HOST_SIZE]; /* as of message_configure_watcher */
    char asked_at[DOCKER_HOST_SIZE];
    char project[NAME_SIZE];                  /* Compose project whose containers are in scope; not empty, or … */
    char label_selector[LABEL_SELECTOR_SIZE]; /* … of a network-anchor, this one decides alone (DISC-2) */
    uint32_t role;                            /* enum anchor_role: which of the repairs are its job */
    uint32_t poll_interval_milliseconds;      /* > 0 */
    uint32_t stop_timeout_milliseconds;       /* what a container has to end in, before it is killed */
    uint32_t is_successor;                    /* 0 or 1: one before it died, and may have left something half-done */
    uint32_t log_level;                       /* enum log_level */
    uint32_t starts_siblings;                 /* 0 or 1; of a network-anchor: LIFE-1 */
    uint32_t repairs_dependents;              /* 0 or 1; of a network-anchor: LIFE-3 */
    uint32_t managed_count;                   /* so many MANAGED_TARGET follow; of a network-anchor: LIFE-2 */
    uint32_t is_held; /* 0 or 1; of a network-anchor: its network namespace is a holder's (ADDR-10) */
    uint32_t reserved;
    struct {
        char network[NAME_SIZE];            /* that belongs to somebody else, and changes its ID */
        char target[NAME_SIZE];             /* the follower: a service of `project`, else a container's name */
        uint32_t restarts;                  /* 0 or 1: the follower is restarted when it has rejoined */
        uint32_t backoff_milliseconds;      /* between an event and the first look whether all is calm */
        uint32_t steady_milliseconds;       /* > 0; for so long no endpoint may come or go */
        uint32_t settle_limit_milliseconds; /* >= steady; after so long it is joined although it is not calm */
    } follow;                               /* of an external-rebinder, all zero otherwise */
};

static_assert(sizeof(struct message_configure_keeper) ==
                  24 + 2 * DOCKER_HOST_SIZE + 128 + LABEL_SELECTOR_SIZE + 40 + 2 * 128 + 16,
              "wire layout");

/* More of them are refused at the start. */
#define MANAGED_TARGETS_MAX 16
#define IMAGE_NAME_SIZE     256 /* with registry and digest; with the NUL */
#define ASSIGNMENTS_SIZE    4096

/* Environment or labels: KEY=VALUE texts, one behind the other, each with its NUL. */
struct assignments {
    uint32_t length; /* bytes in use; all others are zero */
    uint32_t reserved;
    char text[ASSIGNMENTS_SIZE];
};

struct managed_target {
    uint32_t number; /* of the variables' suffix; 1: they have none */
    uint32_t reserved;
    char target[NAME_SIZE];       /* the container whose network namespace it joins, by name */
    char name[NAME_SIZE];         /* its own */
    char image[IMAGE_NAME_SIZE];  /* empty: the network-anchor's */
    struct wire_address gateway4; /* both none: the network-anchor's addresses on the shared network */
    struct wire_address gateway6;
    struct assignments environment; /* besides, and instead of, what it gets from us */
    struct assignments labels;
};

struct message_managed_target { /* MANAGED_TARGET: one each, in the order of their numbers, behind CONFIGURE_KEEPER */
    struct message_header header;
    struct managed_target managed;
};

static_assert(sizeof(struct message_managed_target) == 24 + 8 + 2 * 128 + 256 + 2 * 20 + 2 * (8 + ASSIGNMENTS_SIZE),
              "wire layout");
static_assert(sizeof(struct message_managed_target) <= MESSAGE_LENGTH_MAX, "it is one datagram");
