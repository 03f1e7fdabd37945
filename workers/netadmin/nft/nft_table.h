/*
 * Builds the transactions that make our two tables what they should be.
 *
 * Called by ruleset.c inside anchord-netadmin; builds messages, no system call. Tables, chains and sets are
 * ensured and the rules replaced inside one transaction; nothing is deleted in order to change it, because a
 * table that is missing for a moment breaks open connections (measured).
 */
#pragma once

#include "workers/netadmin/nft/nft_batch.h"
#include "workers/netadmin/nft/nft_dump.h"
#include "workers/netadmin/plan/map_difference.h"
#include "workers/netadmin/plan/network_view.h"

/* What both tables shall be, besides the elements of their maps. */
struct nft_table_wish {
    const struct network_view *view;
    const struct guest_list *guests; /* with the lists and limits */
    bool counts_ports;               /* the elements of maps count, and so do the sets of traffic (SEE-4) */
};

/*
 * Adds to `batch` what makes one family's table right, given what it holds: removes what others put there, ensures
 * table, chains and sets, replaces all rules, and changes the elements of `external` to the view's addresses, those of
 * maps and traffic by `difference`, which begin with what is `carried`, and those of the lists. Counters that are not
 * there begin with `refused`. Maps that the wish wants made anew (nft_table_keeps_map) are, and `difference` has all of
 * them. A skeleton beside it goes in the same transaction.
 */
void nft_table_install(struct nft_batch *batch, const struct nft_family *family,
                       const struct nft_table_content *content, const struct nft_table_wish *wish,
                       const struct map_state_difference difference[PORT_COUNTER_MAX_],
                       const struct port_values *carried, const struct packet_count refused[REFUSAL_MAX_]);

/* Whether the map is there as the wish wants it: one that does not count cannot learn it. */
bool nft_table_keeps_map(const struct nft_table_content *content, const struct nft_table_wish *wish,
                         enum nft_set_index map);

/* The table, if need be, and its sets of bans, for nft_bans_replace() before anything uses them. */
void nft_table_add_bans(struct nft_batch *batch, const struct nft_family *family);

/* Wakes a table that somebody made dormant; a transaction of its own, since it cannot get chains in the same. */
void nft_table_wake(struct nft_batch *batch, const struct nft_family *family);

/*
 * The same objects under a name that nobody uses, and their end: does this kernel know all that we need? No packet
 * passes a dormant table. A dry run would wait for the kernel's grace periods to undo it, 4 to 22 ms (measured).
 * With those lists and limits, and counting or not.
 */
void nft_table_probe(struct nft_batch *batch, const struct nft_family *family, const struct guest_list *guests,
                     bool counts_ports);

/* delete table ip anchord_v4 */
void nft_table_remove(struct nft_batch *batch, const struct nft_family *family);

/* Adds to `batch` what makes the skeleton of one family right (WALL-3): anew when it `exists`. */
void nft_table_add_skeleton(struct nft_batch *batch, const struct nft_family *family, bool exists);

/* delete table ip anchord_skeleton */
void nft_table_remove_skeleton(struct nft_batch *batch, const struct nft_family *family);
