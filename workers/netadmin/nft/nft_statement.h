/*
 * Small words to write a rule with: each appends one match or statement as nft itself would encode it.
 *
 * Used by nft_rules.c only, inside anchord-netadmin; builds memory, no system call. The encodings were taken
 * from `nft --debug=netlink` and are compared with nft's own listing by tests/netns.
 */
#pragma once

#include "workers/netadmin/nft/nft_batch.h"
#include "workers/netadmin/nft/nft_names.h"

#include <linux/netfilter/nf_tables.h>

struct nftnl_rule;

struct rule {
    struct nft_batch *batch;
    const struct nft_family *family;
    const char *table;
    const char *chain;
    struct nftnl_rule *nftnl; /* NULL after an allocation failed: the words then do nothing */
};

/* `table` is the family's own, or another name for a dry run. */
void rule_begin(struct rule *rule, struct nft_batch *batch, const struct nft_family *family, const char *table,
                enum nft_chain_index chain);
/* Adds the rule to the batch with `comment`, which also names it in errors. */
void rule_end(struct rule *rule, const char *comment);

void rule_match_input(struct rule *rule, const char *interface);                 /* iifname NAME */
void rule_match_not_input(struct rule *rule, const char *interface);             /* iifname != NAME */
void rule_match_output(struct rule *rule, const char *interface);                /* oifname NAME */
void rule_match_protocol(struct rule *rule, uint8_t protocol);                   /* meta l4proto */
void rule_match_external(struct rule *rule);                                     /* ip daddr @external */
void rule_match_original_external(struct rule *rule);                            /* ct original ip daddr @external */
void rule_match_ports(struct rule *rule, uint16_t source, uint16_t destination); /* udp sport … udp dport … */
void rule_match_udp_destination(struct rule *rule, uint16_t port);               /* udp dport */
void rule_match_icmp_types(struct rule *rule, uint8_t first, uint8_t last);      /* icmpv6 type A-B */
void rule_match_time_to_live(struct rule *rule, uint8_t value);                  /* ip ttl N, ip6 hoplimit N */
void rule_match_status(struct rule *rule, uint32_t bits);                        /* ct status: IPS_… */
void rule_match_state(struct rule *rule, uint32_t bits);                         /* ct state: NF_CT_STATE_… */
void rule_match_reply(struct rule *rule);                                        /* ct direction reply */
void rule_match_local_on_input(struct rule *rule);                               /* fib daddr . iif type local */
void rule_match_destination_type(struct rule *rule, uint32_t type);              /* fib daddr type: RTN_… */
void rule_match_source_type(struct rule *rule, uint32_t type);                   /* fib saddr type: RTN_… */
void rule_match_tcp_syn(struct rule *rule);                                      /* tcp flags syn / syn,rst */
void rule_match_tcp_flags(struct rule *rule, uint8_t flags);                     /* tcp flags: any of TH_… */

enum rule_side { RULE_SOURCE, RULE_DESTINATION };
/* ip saddr/daddr [!=] PREFIX; `operation` is NFT_CMP_EQ or NFT_CMP_NEQ. */
void rule_match_prefix(struct rule *rule, enum rule_side side, uint32_t operation, const struct ip_subnet *prefix);

void rule_dnat_by_map(struct rule *rule, size_t protocol_index);     /* dnat ip to tcp dport map @dnat_tcp */
void rule_snat(struct rule *rule, const struct ip_address *address); /* snat to ADDRESS */
void rule_masquerade(struct rule *rule);
void rule_set_time_to_live(struct rule *rule, uint8_t value); /* ip ttl set N, ip6 hoplimit set N */
void rule_clamp_segments(struct rule *rule);                  /* tcp option maxseg size set rt mtu */
void rule_verdict(struct rule *rule, uint32_t verdict);       /* NF_ACCEPT, NF_DROP */
void rule_reject_with_reset(struct rule *rule);               /* reject with tcp reset */
void rule_reject(struct rule *rule, uint8_t icmp_code);       /* reject with icmp CODE */
