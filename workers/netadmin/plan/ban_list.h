/*
 * Who is banned (GUEST-2), as a value: what anchord-bans says, checked and put together.
 *
 * Used by ruleset.c inside anchord-netadmin. Pure: no system call, no privilege.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/messages.h"

/* Sorted by wire_ban_compare(), none twice. Zero is empty. */
struct ban_list {
    struct wire_ban *items;
    size_t count;
};

void ban_list_clear(struct ban_list *list);

/*
 * `have` with `changes`, which are sorted in the same way: each adds what is not there, or removes what is. *ret must
 * be empty. Returns 0, or a negative errno with *ret empty and what is wrong in *ret_reason: -EBADMSG (not sorted, not
 * in step with `have`, prefixes that overlap or are too many), -E2BIG (above BANS_MAX), -ENOMEM.
 */
int ban_list_merge(const struct ban_list *have, const struct ban_list *changes, struct ban_list *ret,
                   const char **ret_reason) __attribute__((warn_unused_result));
