/*
 * The statements that rules are made of: each appends one match or action as nft itself would encode it.
 *
 * Used by nft_rules.c only, inside anchord-netadmin; builds memory, no system call. The encodings were taken
 * from `nft --debug=netlink` and are compared with nft's own listing by tests/netns.
 */
#pragma once

#include "workers/netadmin/nft/nft_names.h"
#include "workers/netadmin/nft/nft_rule.h"

#include <linux/netfilter/nf_tables.h>

/* No rule has more. */
#define NFT_STATEMENTS_MAX 7

enum nft_interface { NFT_INTERFACE_EXTERNAL, NFT_INTERFACE_SHARED, NFT_INTERFACE_HOST, NFT_INTERFACE_LOOPBACK };
enum nft_egress { NFT_EGRESS_GLOBAL, NFT_EGRESS_UNIQUE_LOCAL };

/* One statement as a value: what appends it, and its operands, which are said there. */
struct nft_statement {
    void (*append)(struct nft_rule *rule, const struct nft_statement *statement);
    uint32_t value;
    uint32_t last;
    const struct ip_subnet *prefix;
};

/* A rule as a value. */
struct nft_rule_text {
    enum nft_chain_index chain;
    uint32_t when;                                       /* the table's own business (nft_rules.c) */
    const char *comment;                                 /* in the kernel, and in errors */
    struct nft_statement statements[NFT_STATEMENTS_MAX]; /* those with `append` */
};

/* Adds a rule to the batch; `inner` and `limit` may be NULL for one that does not mean them. */
void nft_statement_add_rule(const struct nft_rule_context *context, const struct nft_rule_text *text,
                            const struct ip_subnet *inner, const struct wire_guest *limit);

/* What nft_statement.append may be: */
#define NFT_STATEMENT(name_) void nft_statement_##name_(struct nft_rule *rule, const struct nft_statement *statement)

NFT_STATEMENT(input);                  /* iifname NAME; value: enum nft_interface, as in the next three */
NFT_STATEMENT(not_input);              /* iifname != NAME */
NFT_STATEMENT(output);                 /* oifname NAME */
NFT_STATEMENT(not_output);             /* oifname != NAME */
NFT_STATEMENT(protocol);               /* meta l4proto; value: IPPROTO_… */
NFT_STATEMENT(icmp);                   /* meta l4proto icmp, ipv6-icmp */
NFT_STATEMENT(icmp_types);             /* icmpv6 type value-last */
NFT_STATEMENT(ports);                  /* udp sport value udp dport last */
NFT_STATEMENT(destination_port);       /* udp dport value */
NFT_STATEMENT(tcp_syn);                /* tcp flags syn / syn,rst */
NFT_STATEMENT(tcp_flags);              /* tcp flags: any of value, TH_… */
NFT_STATEMENT(time_to_live);           /* ip ttl value, ip6 hoplimit value */
NFT_STATEMENT(from_prefix);            /* ip saddr [!=] prefix; value: NFT_CMP_EQ or NFT_CMP_NEQ */
NFT_STATEMENT(to_prefix);              /* ip daddr [!=] prefix */
NFT_STATEMENT(from_inner);             /* ip saddr INNER */
NFT_STATEMENT(to_external);            /* ip daddr @external */
NFT_STATEMENT(from_set);               /* ip saddr @SET; value: enum nft_set_index */
NFT_STATEMENT(from_network_in_set);    /* ip6 saddr & ffff:ffff:ffff:ffff:: == @SET */
NFT_STATEMENT(to_set);                 /* ip daddr @SET */
NFT_STATEMENT(to_network_in_set);      /* ip6 daddr & ffff:ffff:ffff:ffff:: == @SET */
NFT_STATEMENT(originally_to_external); /* ct original ip daddr @external */
NFT_STATEMENT(status);                 /* ct status value: IPS_… */
NFT_STATEMENT(state);                  /* ct state value: NF_CT_STATE_… */
NFT_STATEMENT(reply);                  /* ct direction reply */
NFT_STATEMENT(address_type);           /* fib value type last: NFTA_FIB_F_…, RTN_… of linux/rtnetlink.h */
NFT_STATEMENT(no_way_back);            /* fib saddr . iif oif missing */
NFT_STATEMENT(listed);                 /* meta l4proto . th dport @listed */
NFT_STATEMENT(not_allowed);            /* meta l4proto . th dport . ip saddr != @allowed */
NFT_STATEMENT(limited_port);           /* tcp dport LIMIT */
NFT_STATEMENT(within_limit);           /* update @limit_… { ip saddr limit rate … }; ip6: of the source's /64 */
NFT_STATEMENT(ended);                  /* ct mark & NFT_ENDED_MARK != 0 */
NFT_STATEMENT(original_port_in);       /* ct original proto-dst @SET; value: enum nft_set_index */
NFT_STATEMENT(count);                  /* counter name "refused_…"; value: enum refusal_reason */
NFT_STATEMENT(end);                    /* ct mark set ct mark | NFT_ENDED_MARK */
NFT_STATEMENT(go_to);                  /* goto CHAIN; value: enum nft_chain_index */
NFT_STATEMENT(dnat_by_map);            /* dnat ip to tcp dport map @dnat_tcp; value: PROTOCOL_INDEX_… */
NFT_STATEMENT(snat);                   /* snat to ADDRESS; value: enum nft_egress, the other where there is none */
NFT_STATEMENT(masquerade);             /* masquerade */
NFT_STATEMENT(set_time_to_live);       /* ip ttl set value, ip6 hoplimit set value */
NFT_STATEMENT(clamp_segments);         /* tcp option maxseg size set rt mtu */
NFT_STATEMENT(verdict);                /* value: NF_ACCEPT, NF_DROP */
NFT_STATEMENT(reject);                 /* reject with …; value: NFT_REJECT_…, last: ICMP code */
