/*
 * Whether nftables on this host has a table, a chain, a rule: a question to the kernel, without its libraries, which
 * are netadmin's and the command ruleset's (DESIGN §3).
 *
 * Used by leftovers.c and host_forwarding.c in the commands of attach, as root; changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Each returns 1, it is there; 0, it is not; or a negative errno: nobody can tell. `family` is NFPROTO_…. */
int nft_question_table(uint8_t family, const char *table) __attribute__((warn_unused_result));
/* In *ret_drops whether it is a base chain that drops what no rule decides. */
int nft_question_chain(uint8_t family, const char *table, const char *chain, bool *ret_drops)
    __attribute__((warn_unused_result));
/* A rule of the chain that compares with the name of this interface. */
int nft_question_rule_of(uint8_t family, const char *table, const char *chain, const char *interface)
    __attribute__((warn_unused_result));
