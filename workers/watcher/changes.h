/*
 * The containers that Docker has to be asked about again, because an event named them.
 *
 * Used by watch_scope.c. Once is not enough: Docker sends some events before its lists show what happened (measured:
 * network connect with Engine 20.10.24, disconnect with 28.5.2). So each is asked for at once and again a little later.
 * Pure; no privilege.
 */
#pragma once

#include "workers/docker/records.h"

/* Containers waiting at a time; with more of them all containers are listed instead. */
#define CHANGES_MAX 256

struct change {
    char id[DOCKER_ID_SIZE];
    unsigned int checks; /* how often it was asked for since its last event */
    uint64_t event_time; /* of the earliest event, nanoseconds since 1970; 0: unknown */
    uint64_t due;        /* monotonic microseconds */
};

struct changes {
    size_t count;
    struct change items[CHANGES_MAX];
};

/* An event named `id`: due at once. Returns 0, or -ENOSPC. */
int changes_note(struct changes *changes, const char *id, uint64_t event_time, uint64_t now)
    __attribute__((warn_unused_result));

bool changes_contain(const struct changes *changes, const char *id);

/* Moves at most `capacity` of those that are due to `taken`. Returns how many. */
size_t changes_take(struct changes *changes, uint64_t now, struct change *taken, size_t capacity);

/* They were asked for at `now`: the next check of each, unless it was the last one or another event has come. */
void changes_put_back(struct changes *changes, const struct change *taken, size_t count, uint64_t now);

/* When the next one is due; UINT64_MAX: none waits. */
uint64_t changes_next_due(const struct changes *changes);
