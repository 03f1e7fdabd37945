/*
 * Who is banned (GUEST-2), as a value: what anchord-bans says, and what netadmin checks and puts together of it.
 *
 * Used by workers/bans/ and by ruleset.c and nft/ inside anchord-netadmin. Pure: no system call, no privilege.
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

/* What makes `want` of `have`, as ban_list_merge() takes it. *ret must be empty. Returns 0 or -ENOMEM. */
int ban_list_compare(const struct ban_list *have, const struct ban_list *want, struct ban_list *ret)
    __attribute__((warn_unused_result));
