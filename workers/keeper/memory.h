/*
 * What the keeper remembers of each container between two looks: whose namespace it is in, what was tried and said.
 *
 * Called by look.c and the repairs. By the container's name, since its ID changes when it is recreated. Pure, no
 * privilege.
 */
#pragma once

#include "protocol/findings_sender.h"
#include "workers/docker/records.h"
#include "workers/keeper/start_order.h"

#include <stdbool.h>

/* uthash's default falls through a switch without saying so, which clang refuses. */
#define HASH_FUNCTION HASH_OAT
/* Without memory an entry is not added; its default ends the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct memory_entry {
    char name[NAME_SIZE];
    char joined[NAME_SIZE];            /* the reference that `target_name` belongs to */
    char target_name[NAME_SIZE];       /* its name when it was first seen; empty: never seen */
    uint32_t attempts;                 /* one soon after the other */
    uint64_t tried_at;                 /* monotonic microseconds; 0: never */
    char finding[FINDING_REASON_SIZE]; /* what status shows, and was said; empty: all is well */
    struct start_record starts;
    uint64_t wrong_since;      /* its namespace is not what it should be, monotonic microseconds; 0: all is well */
    uint64_t unattended_since; /* a half-done recreation that nobody goes on with; 0: none */
    uint32_t unattended_state; /* what it looked like then */
    bool is_orphaned;          /* that one is our own, or our predecessor's: nobody else goes on with it */
    bool is_seen;              /* in this look */
    UT_hash_handle hh;
};

struct memory {
    struct memory_entry *entries;
};

/* The entry of `name`, made if need be, and marked as seen; NULL without memory. */
struct memory_entry *memory_see(struct memory *memory, const char *name);

/* The entry of `name`, or NULL: there is none. */
const struct memory_entry *memory_find(const struct memory *memory, const char *name);

/* Notes what is wrong with it, or with "" that all is well. True when that is news. */
bool memory_note_finding(struct memory_entry *entry, const char *finding);

/* LIFE-6: notes the name that belongs to the ID (or name) `joined`; Docker forgets it with its container. */
void memory_note_target(struct memory_entry *entry, const char *joined, const char *name);

/* Tells `handler` of one finding after the other. Returns 0 or what the handler returned. */
int memory_tell(const struct memory *memory, finding_handler handler, void *userdata)
    __attribute__((warn_unused_result));

/* Forgets those that were not seen since the last call. */
void memory_sweep(struct memory *memory);

void memory_release(struct memory *memory);

/* When the next attempt may begin, monotonic microseconds: at once, then 1, 2, 4 … 60 s after the last one. */
uint64_t memory_next_attempt(const struct memory_entry *entry);

/* An attempt begins. A minute without one clears the record. */
void memory_note_attempt(struct memory_entry *entry, uint64_t now);
