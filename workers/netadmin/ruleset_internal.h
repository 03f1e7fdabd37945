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
    bool lacks_counting; /* of ports, Linux 5.7 */
    struct port_ledger ledger;
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

/* What the elements that a transaction removes have counted. Returns 0 or a negative errno. */
int ruleset_read_removed(struct ruleset *ruleset, const struct map_state_difference differences[PORT_COUNTER_MAX_],
                         struct port_values *ret) __attribute__((warn_unused_result));
/* What those that it adds begin with; `next` may be NULL. Returns 0 or -ENOMEM. */
int ruleset_carry(struct ruleset *ruleset, const struct desired_state *next,
                  const struct map_state_difference differences[PORT_COUNTER_MAX_], const struct port_values *values,
                  struct port_values *ret) __attribute__((warn_unused_result));
/* After the tables were read: what was told and is no more in them comes back with this transaction (SEE-4). */
int ruleset_settle(struct ruleset *ruleset, const struct nft_table_content tables[FAMILY_INDEX_MAX_])
    __attribute__((warn_unused_result));
void ruleset_note_refused(struct ruleset *ruleset, size_t family_index, const struct packet_count read[REFUSAL_MAX_]);

/* What the kernel has of the bans is what we put there, unless somebody came between, or took a set away. */
bool ruleset_must_add_bans(const struct ruleset *ruleset, const struct nft_table_content *content);

/* Before the transaction that makes the table, so that they hold from its first moment; false: they are part of it. */
bool ruleset_fill_bans(struct ruleset *ruleset, const struct nft_family *family);
