/*
 * What the network-anchor says of itself, for the group `path` of anchord doctor and for `anchord explain`: read by a
 * child that is nobody, since it is a container's bytes, and handed to the director, who is root, by records of one
 * size (SEE-2, SEE-3).
 *
 * Used by path_check.c and explain_model.c.
 */
#pragma once

#include "protocol/messages_parts.h"

enum path_word_kind {
    PATH_WORD_EXTERNAL = 1, /* name: the interface on the LAN */
    PATH_WORD_ADDRESS,      /* addresses[0]: one of the project's */
    PATH_WORD_GATEWAY,      /* addresses[0] */
    PATH_WORD_SHARED,       /* name: the interface on the shared network */
    PATH_WORD_EXPOSURE,     /* what follows, of one container */
    PATH_WORD_GUESTS,       /* finding: whom the exposure before it answers */
    PATH_WORD_CONFLICT,     /* name was refused these ports: finding has them */
    PATH_WORD_PROBLEM,      /* problem, of name: finding says which */
    PATH_WORD_WITHHELD,     /* a port that the problem before it names */
    PATH_WORD_END,          /* the last one: error */
    PATH_WORD_KIND_MAX_,
};

#define PATH_FINDING_SIZE 512

struct path_word {
    uint32_t kind; /* enum path_word_kind */
    int32_t error; /* 0 or a negative errno */
    uint8_t protocol;
    uint8_t has_guests;
    uint16_t problem;                 /* enum problem, or a number that this program does not know */
    uint16_t first, last, backend;    /* ports */
    struct wire_address addresses[2]; /* v4, v6; may be none */
    char name[NAME_SIZE];             /* of the container */
    char finding[PATH_FINDING_SIZE];  /* what the anchor says of that; may be empty */
};

bool path_word_is_valid(const struct path_word *word);

/* Without PATH_WORD_END. */
typedef void (*path_word_handler)(const struct path_word *word, void *userdata);

/* Of the anchor that a process belongs to; 0: the one that runs here. Returns 0 or a negative errno. */
int path_status_read(uint32_t pid, path_word_handler handler, void *userdata) __attribute__((warn_unused_result));
