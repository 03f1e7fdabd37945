/*
 * Messages that add and delete elements of our sets and maps (NAT-3: only the difference).
 *
 * Called by nft_table.c and ruleset.c inside anchord-netadmin; builds messages, no system call.
 */
#pragma once

#include "protocol/ban_list.h"
#include "workers/netadmin/nft/nft_batch.h"
#include "workers/netadmin/nft/nft_names.h"
#include "workers/netadmin/plan/map_difference.h"

/* The 16-bit length of a netlink attribute wraps silently above 2047 v4 or 1489 v6 elements (measured). */
#define NFT_ELEMENTS_PER_MESSAGE 500
/* Of those that count: with what they begin with 92 bytes each. */
#define NFT_COUNTING_PER_MESSAGE 300
#define NFT_GUESTS_PER_MESSAGE   250 /* of intervals, with 68 bytes each */

/*
 * Deletes and adds the elements of one map and of the set that counts its traffic, `difference` by enum port_counter;
 * of a kernel that does not count the latter is empty. Elements begin with what `carried` has of them. A port's
 * deletion and addition stay in one group, so that they are one transaction even when a batch is too long for one.
 */
void nft_elements_change_map(struct nft_batch *batch, const struct nft_family *family, size_t protocol_index,
                             const struct map_state_difference difference[PORT_COUNTER_MAX_],
                             const struct port_values *carried);

/* From the lists that the sets `listed` and `allowed` hold, both sorted, to those that they shall hold. */
void nft_elements_change_guests(struct nft_batch *batch, const struct nft_family *family, const struct guest_list *have,
                                const struct guest_list *want);

/* Adds (NFT_MSG_NEWSETELEM) or deletes (NFT_MSG_DELSETELEM) addresses in the set `external`. */
void nft_elements_change_external(struct nft_batch *batch, const struct nft_family *family, uint16_t message_type,
                                  const struct ip_address *addresses, size_t count);

/* All that the sets of bans hold, made anew. */
void nft_elements_replace_bans(struct nft_batch *batch, const struct nft_family *family, const struct ban_list *list);

/*
 * `changes` make `list` of what the sets hold: first who is added, and the prefixes, whose sets are made anew when
 * they changed or `has_foreign_prefixes` (BAN_PREFIXES_MAX is not much); then, in another transaction, the single keys
 * that are removed. In one, whose network is banned in his place would be let in while it is committed: a key is gone
 * when that begins, an interval is there when it ends (Linux 6.18, measured).
 */
void nft_elements_add_bans(struct nft_batch *batch, const struct nft_family *family, const struct ban_list *changes,
                           const struct ban_list *list, bool has_foreign_prefixes);
void nft_elements_remove_bans(struct nft_batch *batch, const struct nft_family *family, const struct ban_list *changes);
