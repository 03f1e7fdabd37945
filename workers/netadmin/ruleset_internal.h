/*
 * What the files of the ruleset share: ruleset.c and ruleset_bans.c, inside anchord-netadmin.
 */
#pragma once

#include "workers/netadmin/conntrack/conntrack.h"
#include "workers/netadmin/nft/nft_dump.h"
#include "workers/netadmin/plan/packet_count.h"
#include "workers/netadmin/ruleset.h"

struct ruleset {
    struct nfnl_socket *socket;
    bool lacks_family[FAMILY_INDEX_MAX_]; /* this kernel does not have what the family's rules need */
    bool lacks_kind[GUEST_KIND_MAX_];
    bool is_installed;  /* `view` and `held` are what the kernel holds */
    bool was_installed; /* by this process: `view` is the last one applied */
    struct network_view view;
    struct map_state held;
    struct guest_list guests;                                     /* as `held` */
    struct map_state withheld;                                    /* as `held`, but not in the kernel */
    struct backend_list newcomers[FAMILY_INDEX_MAX_];             /* of the last ruleset_apply() */
    struct packet_count refused[FAMILY_INDEX_MAX_][REFUSAL_MAX_]; /* as last read */
    struct ban_list bans; /* if has_bans; until then the sets are a predecessor's */
    bool has_bans;
    struct conntrack_changes recent;     /* since the last second sweep */
    uint32_t flushed[FAMILY_INDEX_MAX_]; /* not reported yet */
    int64_t sweep_allowance;             /* microseconds */
    uint64_t allowance_time;             /* CLOCK_MONOTONIC, microseconds: when that was true */
};

/* Fills *failure; returns `error`. */
int ruleset_fail(struct nft_failure *failure, int error, const char *operation);

/* What the kernel has of the bans is what we put there, unless somebody came between, or took a set away. */
bool ruleset_must_add_bans(const struct ruleset *ruleset, const struct nft_table_content *content);

/* Before the transaction that makes the table, so that they hold from its first moment; false: they are part of it. */
bool ruleset_fill_bans(struct ruleset *ruleset, const struct nft_family *family);
