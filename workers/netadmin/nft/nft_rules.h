/*
 * The rules of both tables: the product in nft's own words (SPEC §3).
 *
 * Called by nft_table.c inside anchord-netadmin; builds messages, no system call.
 */
#pragma once

#include "workers/netadmin/nft/nft_batch.h"
#include "workers/netadmin/nft/nft_names.h"
#include "workers/netadmin/plan/network_view.h"

/* Adds every rule of one family's table, in order; the chains exist and are empty. `guests`: the lists and limits. */
void nft_rules_add(struct nft_batch *batch, const struct nft_family *family, const char *table,
                   const struct network_view *view, const struct guest_list *guests, bool counts_ports);

/* Adds the rules of the skeleton (WALL-3); its chains exist and are empty. */
void nft_rules_add_skeleton(struct nft_batch *batch, const struct nft_family *family);
