/*
 * Who may come in: the part of messages.h for lists of sources and limits (GUEST-1, GUEST-3, GUEST-5). Included by
 * messages.h, which is the one to include.
 */
#pragma once

#include "protocol/messages_parts.h"

#define GUEST_SOURCES_PER_LABEL_MAX 1024
#define GUEST_SOURCES_MAX           4096  /* in all; 20,000 cost the kernel 9 to 19 s (measured) */
#define GUEST_LIMITS_MAX            32    /* in all; each may come to remember 65,536 sources */
#define GUEST_TEXT_SIZE             16000 /* of a label or variable, with the NUL */
#define GUESTS_PER_MESSAGE          480

enum guest_kind {
    GUEST_PORTS = 1, /* the ports answer nobody but the sources that stand beside the same ports */
    GUEST_SOURCE,    /* one of these */
    GUEST_LIMIT,     /* one port answers a source no more often than this */
    GUEST_KIND_MAX_,
};

/* The ports are the project's. All of a state stand in the order of guest_compare(), and do not overlap. */
struct wire_guest {
    uint8_t kind;     /* enum guest_kind */
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint16_t port_first;
    uint16_t port_last;
    uint8_t family; /* of SOURCE: enum ip_family; else zero, as the next two */
    uint8_t prefix_length;
    uint8_t source[16]; /* without host bits */
    uint16_t rate;      /* of LIMIT: new connections in each unit of time; else zero, as the next two */
    uint16_t burst;
    uint8_t is_per_minute; /* 0: per second */
    uint8_t reserved[3];
};

struct message_guests { /* EXPOSURES_GUESTS */
    struct message_header header;
    uint32_t item_count; /* 1 … GUESTS_PER_MESSAGE */
    uint32_t reserved;
    struct wire_guest items[];
};

enum guest_text {
    GUEST_TEXT_ALLOW = 1, /* ANCHORD_ALLOW, as anchord.allow */
    GUEST_TEXT_LIMIT,     /* ANCHORD_LIMIT, as anchord.limit */
    GUEST_TEXT_MAX_,
};

struct message_guest_text { /* before CONFIGURE_WATCHER, or not at all */
    struct message_header header;
    uint32_t which; /* enum guest_text */
    uint32_t reserved;
    char text[GUEST_TEXT_SIZE];
};

static_assert(sizeof(struct wire_guest) == 32, "wire layout");
static_assert(sizeof(struct message_guests) == 32, "wire layout");
static_assert(sizeof(struct message_guests) + GUESTS_PER_MESSAGE * sizeof(struct wire_guest) <= MESSAGE_LENGTH_MAX,
              "a full message of guests fits");
static_assert(sizeof(struct message_guest_text) == 32 + GUEST_TEXT_SIZE &&
                  sizeof(struct message_guest_text) <= MESSAGE_LENGTH_MAX,
              "wire layout");
