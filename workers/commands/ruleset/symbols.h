/*
 * Numbers of the kernel and the words that nft writes for them (nftables 1.0.6).
 *
 * Used by the parts of rule_text.c and by table_text.c in anchord-ruleset. Pure; no privilege.
 */
#pragma once

#include <stdint.h>

/* tcp, udp, icmp …; NULL for one that our rules never name. */
const char *symbol_protocol(uint8_t protocol);

/* "snat,dnat" of a mask; NULL when a bit has no name. */
#define SYMBOL_BITS_SIZE 96
const char *symbol_ct_status(uint32_t mask, char text[SYMBOL_BITS_SIZE]);
const char *symbol_ct_state(uint32_t mask, char text[SYMBOL_BITS_SIZE]);
const char *symbol_tcp_flags(uint8_t mask, char text[SYMBOL_BITS_SIZE]);

/* A type of ICMP or ICMPv6 by its name, as nft writes one that is compared alone; NULL: it has none. */
const char *symbol_icmp_type(uint8_t type);
const char *symbol_icmpv6_type(uint8_t type);

/* What stands behind `reject`: " with icmp prot-unreachable", or "" for nft's default; NULL: no such code. */
const char *symbol_reject(uint8_t nfproto, uint8_t code);

/* "prerouting" … of NF_INET_…; NULL: none. */
const char *symbol_hook(uint32_t hook);

/* "dstnat + 10"; the name depends on the hook. */
#define SYMBOL_PRIORITY_SIZE 32
const char *symbol_priority(uint32_t hook, int32_t priority, char text[SYMBOL_PRIORITY_SIZE]);

/* RTN_LOCAL … as `fib … type` says it; NULL: none. */
const char *symbol_address_type(uint32_t type);
