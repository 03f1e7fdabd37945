/*
 * The list of bans (GUEST-2): each with its end and its reason, and what of it the kernel is to hold.
 *
 * Used by bans.c, ban_file.c and ban_clients.c inside anchord-bans; pure, no privilege. Sorted by family, address and
 * prefix length, of which no two bans have the same.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/ban_list.h"

struct stored_ban {
    struct wire_ban ban;
    uint64_t until; /* seconds since 1970; 0: for good */
    uint64_t added;
    char *reason; /* NULL: none */
};

/* Zero is empty. */
struct ban_store {
    struct stored_ban *items;
    size_t count;
    size_t capacity;
    size_t prefix_count; /* of those that wire_ban_is_single() denies */
};

void ban_store_clear(struct ban_store *store);

/*
 * Adds a copy, or changes what is there of the same address and prefix length. Returns 0, -ENOMEM, or -E2BIG with what
 * is full in *ret_reason: then nothing has changed.
 */
int ban_store_put(struct ban_store *store, const struct stored_ban *ban, const char **ret_reason)
    __attribute__((warn_unused_result));

/* Whatever its kind. */
bool ban_store_has(const struct ban_store *store, const struct wire_ban *ban);

/* Whatever its kind. Returns whether it was there. */
bool ban_store_remove(struct ban_store *store, const struct wire_ban *ban);

/* Removes those whose end has come. Returns how many. */
size_t ban_store_expire(struct ban_store *store, uint64_t now);

/* When the next one ends; 0: none does. */
uint64_t ban_store_next_end(const struct ban_store *store);

/* The first one behind `ban`, whether that is there or not; all zero: the first of all. */
size_t ban_store_position_behind(const struct ban_store *store, const struct wire_ban *ban);

/* What netadmin is told, without what a prefix of the same kind has in it, too: an interval set takes no overlaps. *ret
 * must be empty. Returns 0 or -ENOMEM. */
int ban_store_reduce(const struct ban_store *store, struct ban_list *ret) __attribute__((warn_unused_result));
