/*
 * A rule that is being built, and what it is built for.
 *
 * Used by nft_rules.c, the statements and nft_expression.c, inside anchord-netadmin; no system call.
 */
#pragma once

#include "workers/netadmin/nft/nft_batch.h"
#include "workers/netadmin/nft/nft_names.h"
#include "workers/netadmin/plan/network_view.h"

struct nftnl_rule;

/* Where rules go, and what they mean by their interfaces and addresses. */
struct nft_rule_context {
    struct nft_batch *batch;
    const struct nft_family *family;
    const char *table;               /* the family's own, or another name for the probe */
    const struct network_view *view; /* empty for the skeleton, which names nothing of it */
    const struct guest_list *guests;
    bool counts_ports;
};

/* A rule that is being built. */
struct nft_rule {
    const struct nft_rule_context *context;
    const struct ip_subnet *inner;  /* what nft_statement_from_inner means */
    const struct wire_guest *limit; /* what nft_statement_limited_port and _within_limit mean */
    struct nftnl_rule *nftnl;       /* NULL after an allocation failed: statements then do nothing */
};
