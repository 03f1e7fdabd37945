/*
 * Who is banned, in the kernel's sets (GUEST-2): a long list, or many changes, in pieces.
 *
 * Called by ruleset.c inside anchord-netadmin with CAP_NET_ADMIN. Several transactions where one would cost the kernel
 * too much (NFT_PIECE_LENGTH); in none of them is anybody let in who stays banned.
 */
#pragma once

#include "protocol/ban_list.h"
#include "workers/netadmin/nft/nfnl_socket.h"
#include "workers/netadmin/nft/nft_names.h"

/* Whether it is worth that: a shorter list is part of the transaction that makes the table. */
bool nft_bans_are_many(const struct ban_list *list);

/* What the sets hold, as far as it is bans; *ret must be empty. Returns 0, -ENOENT where no such sets are, or another
 * negative errno. */
int nft_bans_read(struct nfnl_socket *socket, const struct nft_family *family, struct ban_list *ret)
    __attribute__((warn_unused_result));

/* `changes` make `list` of what the sets hold. Returns 0, or a negative errno with *failure filled: then nobody knows
 * what they hold. */
int nft_bans_change(struct nfnl_socket *socket, const struct nft_family *family, const struct ban_list *changes,
                    const struct ban_list *list, struct nft_failure *failure) __attribute__((warn_unused_result));

/* The same, whatever the sets hold: what somebody else put there goes. */
int nft_bans_replace(struct nfnl_socket *socket, const struct nft_family *family, const struct ban_list *list,
                     struct nft_failure *failure) __attribute__((warn_unused_result));
