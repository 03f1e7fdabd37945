/*
 * What the keeper is told: the part of messages.h that repairs what recreated containers leave behind (SPEC §6).
 * Included by messages.h, which is the one to include.
 */
#pragma once

#include "protocol/messages.h"

struct message_configure_keeper {
    struct message_header header;
    char docker_host[DOCKER_HOST_SIZE];  /* unix:///path or tcp://name:port */
    char project[NAME_SIZE];             /* Compose project whose containers are in scope; not empty */
    uint32_t role;                       /* enum anchor_role: which of the repairs are its job */
    uint32_t poll_interval_milliseconds; /* > 0 */
    uint32_t stop_timeout_milliseconds;  /* what a container has to end in, before it is killed */
    uint32_t is_successor;               /* 0 or 1: one before it died, and may have left something half-done */
    uint32_t log_level;                  /* enum log_level */
    uint32_t reserved;
};

static_assert(sizeof(struct message_configure_keeper) == 24 + 256 + 128 + 24, "wire layout");
