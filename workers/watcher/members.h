/*
 * The containers in scope of an attached project, in any state, and what became of the wish to serve their network
 * namespaces (HOST-4).
 *
 * Kept by attachment.c. A namespace is asked for from Docker's `network connect` on, at which a container does not run
 * yet: again and again until its first process is there, and once more at its `start`. Two streams bring the events, so
 * they may come in another order than they happened: their times decide. Pure; no privilege.
 */
#pragma once

#include "workers/watcher/container_table.h"

struct member {
    UT_hash_handle hh;
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    bool is_running;
    bool is_in_host_network; /* so no namespace of its own */
    bool is_without_network; /* so nothing is to be served */
    uint8_t state;           /* enum in members.c */
    uint32_t pass;           /* the last one that saw it */
    unsigned int tries;      /* since it was wanted */
    uint64_t began;          /* nanoseconds since 1970: its last `network connect` or `start` */
    uint64_t ended;          /* likewise: its last `die` */
    uint64_t started;        /* monotonic microseconds */
    uint64_t due;            /* likewise */
    uint64_t deadline;       /* likewise: of one that is on its way to its `start`; later it will not come */
    uint64_t generation;     /* of the question */
    int error;               /* of the last answer */
    char reason[REASON_SIZE];
};

/* A `network connect` that was read before the container's `create` or a list told of it: strangers' look the same. */
#define EARLY_CONNECTS_MAX 16

struct early_connect {
    char id[DOCKER_ID_SIZE];
    uint64_t time; /* nanoseconds since 1970 */
};

struct members {
    struct member *members;                         /* by ID */
    struct early_connect early[EARLY_CONNECTS_MAX]; /* the last ones */
    size_t early_next;
    uint32_t pass;
    uint64_t pass_began; /* monotonic microseconds */
    uint64_t generation;
};

void members_release(struct members *members);
struct member *members_find(const struct members *members, const char *id);

/* Before a list is asked for. */
void members_begin_pass(struct members *members, uint64_t now);
/* A container in scope, as a list or its `create` tells (then nothing but the ID). Returns -ENOMEM, or 0, or 1: this is
 * the first word of it but for a `network connect`. */
int members_put(struct members *members, const struct docker_container *container, uint64_t now)
    __attribute__((warn_unused_result));
int members_note_created(struct members *members, const char *id, uint64_t now) __attribute__((warn_unused_result));

/* One that cannot be read just now is still there. */
void members_keep(struct members *members, const char *id);

/* `left` is called for each whose namespace is not to be served any more, before it is forgotten. */
typedef void (*member_handler)(void *userdata, const struct member *member);
/* After a complete list. */
void members_end_pass(struct members *members, member_handler left, void *userdata);
/* After a list of some containers, among them this one. It is forgotten after a complete list only: of what has gone,
 * too, events may still be to be read. */
void members_end_pass_for(struct members *members, const char *id, member_handler left, void *userdata);

/* Who is connected is no member, or none yet. */
void members_note_early_connect(struct members *members, const char *id, uint64_t time);
/* Events of a member, `time` in nanoseconds since 1970. */
void members_note_connect(struct member *member, uint64_t time, uint64_t now);
void members_note_start(struct member *member, uint64_t time, uint64_t now);
/* It has ended. True: it is not to be served any more. */
bool members_note_end(struct member *member, uint64_t time);

/* There is another host half: everything is wanted anew of it. */
void members_want_all(struct members *members, uint64_t now);
/* The next one to ask for, with its generation set; NULL: none is due. */
const struct member *members_take(struct members *members, uint64_t now);
/* When the next one is due; UINT64_MAX: none waits. */
uint64_t members_next_due(const struct members *members);

/* The answer; one of another generation than the question is old. Returns whether there is something new for people. */
bool members_take_answer(struct members *members, const struct message_namespace_answer *answer, uint64_t now);
/* It was asked for so often in vain that people should know. */
bool member_is_refused(const struct member *member);
