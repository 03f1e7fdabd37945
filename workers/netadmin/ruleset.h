/*
 * Our two nftables tables as one thing: what they hold, brought to what they should hold.
 *
 * Called by main.c, netadmin.c and closing.c inside anchord-netadmin with CAP_NET_ADMIN. Talks to the kernel through
 * one blocking socket that is opened here, before the sandbox is sealed. Does not log: errors come back with the
 * operation and object that the kernel refused.
 */
#pragma once

#include "protocol/ban_list.h"
#include "protocol/metrics.h"
#include "protocol/refusals.h"
#include "workers/netadmin/nft/nfnl_socket.h"
#include "workers/netadmin/plan/network_view.h"
#include "workers/netadmin/plan/newcomers.h"
#include "workers/netadmin/plan/port_ledger.h"

struct ruleset;

/*
 * Opens the socket and reads what a predecessor left in the maps. Returns 0, or a negative errno with *failure
 * filled: -EPERM means that CAP_NET_ADMIN does not reach this network namespace, -EPROTONOSUPPORT that the tables are
 * of a later layout (nft_names.h).
 */
int ruleset_new(struct ruleset **ret, struct nft_failure *failure) __attribute__((warn_unused_result));
struct ruleset *ruleset_free(struct ruleset *ruleset); /* leaves the kernel as it is (NAT-14) */
DEFINE_POINTER_CLEANUP(struct ruleset, (void)ruleset_free, ruleset_freep);

/*
 * Finds out by trying whether the kernel has all that one family's rules need; a family that fails is left out from
 * then on; what only lists and limits need may lack. Returns 0, or a negative errno with *failure filled.
 */
int ruleset_check_kernel(struct ruleset *ruleset, size_t family_index, struct nft_failure *failure)
    __attribute__((warn_unused_result));

/*
 * Where a family's table is not there: lets nothing pass and nothing in, until ruleset_apply() installs it in the place
 * of this skeleton (WALL-3). Adopted tables stay as they are: 0. Returns 1, or a negative errno with *failure filled.
 */
int ruleset_close(struct ruleset *ruleset, size_t family_index, struct nft_failure *failure)
    __attribute__((warn_unused_result));

/* Whether the kernel has no lists (GUEST_PORTS) or limits (GUEST_LIMIT); ports that want one are left out then. */
bool ruleset_lacks(const struct ruleset *ruleset, enum guest_kind kind);

/* Whether the kernel does not count by port (SEE-4). */
bool ruleset_lacks_counting(const struct ruleset *ruleset);

/*
 * Reads what was counted, which raises what is told (plan/port_ledger.h). What cannot be read at the moment stays as it
 * was told.
 */
void ruleset_read_counters(struct ruleset *ruleset);
/* What a predecessor told, before the first ruleset_apply(). Returns 0 or -ENOMEM. */
int ruleset_restore_counters(struct ruleset *ruleset, const struct metrics_port *ports, size_t count,
                             const uint64_t refused[REFUSAL_MAX_]) __attribute__((warn_unused_result));
/* What is told: by port, and of each reason the packets that were refused. */
const struct port_ledger *ruleset_ledger(const struct ruleset *ruleset);
uint64_t ruleset_refused(const struct ruleset *ruleset, enum refusal_reason reason);

/* The netlink port under which our changes are announced. */
uint32_t ruleset_port(const struct ruleset *ruleset);

/* What the maps hold, as far as is known; sorted. */
const struct map_state *ruleset_held(const struct ruleset *ruleset);

/* What was withheld when the maps became as they are (DISC-7); sorted. */
const struct map_state *ruleset_withheld(const struct ruleset *ruleset);

/* From now on the tables cannot be trusted: the next ruleset_apply() reads and ensures everything. */
void ruleset_invalidate(struct ruleset *ruleset);

/*
 * Brings the kernel to the view and to `want` (sorted, checked by the policy; NULL: the maps stay as they are)
 * in one transaction that holds only the difference, then drops the flows that it made stale (NAT-3, NAT-4). When
 * something differed, `want` is taken over, and empty afterwards.
 * Of what is withheld established TCP connections stay.
 * flushed[FAMILY_INDEX_…] counts these, with those that sweeps dropped since the last report; in a storm of
 * changes they may wait for ruleset_sweep_again(). Applying the same again does nothing.
 * Returns 0, or a negative errno with *failure filled: then the kernel is as it was, save for a batch that was
 * too long for one transaction. When flows cannot be dropped, ruleset_sweep_again() says so.
 */
int ruleset_apply(struct ruleset *ruleset, const struct network_view *view, struct desired_state *want,
                  uint32_t flushed[FAMILY_INDEX_MAX_], struct nft_failure *failure) __attribute__((warn_unused_result));

/*
 * Who is banned (GUEST-2): the whole list, or what has changed in the last one; the caller's, sorted. Returns 0: it is
 * in the kernel. 1: it will be, with the next ruleset_apply(). Else a negative errno with *failure filled, and
 * ruleset_is_installed() says which: the list was refused, or the kernel could not, and the next ruleset_apply() tries
 * again.
 */
int ruleset_change_bans(struct ruleset *ruleset, bool is_whole, const struct ban_list *changes,
                        struct nft_failure *failure) __attribute__((warn_unused_result));

/* Who is banned in one family, whoever put that into the kernel; *ret must be empty. Returns 0, or a negative errno:
 * -ENOENT before there are tables. */
int ruleset_read_bans(const struct ruleset *ruleset, size_t family_index, struct ban_list *ret)
    __attribute__((warn_unused_result));

/* Whether something was changed since the last ruleset_sweep_again(). */
bool ruleset_wants_second_sweep(const struct ruleset *ruleset);

/* By family: the backends that no element named before the last ruleset_apply(). */
const struct backend_list *ruleset_newcomers(const struct ruleset *ruleset);

/*
 * A packet that was between lookup and confirmation during the commit (another CPU) can leave a stale flow
 * after the first sweep: sweeps the recent changes once more. Returns 0, or a negative errno with *failure filled,
 * and keeps them.
 */
int ruleset_sweep_again(struct ruleset *ruleset, struct nft_failure *failure) __attribute__((warn_unused_result));

/*
 * Removes both tables (NAT-14). The first step of an ordered stop, `is_left_closed`, puts the skeleton in their place;
 * in the last one that goes, too, and what the first one failed to remove. A table that is not there is no error.
 * Returns 0, or a negative errno with *failure filled.
 */
int ruleset_remove(struct ruleset *ruleset, bool is_left_closed, struct nft_failure *failure)
    __attribute__((warn_unused_result));
