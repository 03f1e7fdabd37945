/* The statements that count, and what leads to them; see nft_statement.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_expression.h"
#include "workers/netadmin/nft/nft_statement.h"

#include <linux/netfilter/nf_tables.h>

void nft_statement_count(struct nft_rule *rule, const struct nft_statement *statement)
{
    APPEND(rule, "objref", NUMBER(NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER),
           TEXT(NFTNL_EXPR_OBJREF_IMM_NAME, nft_counter_names[statement->value]));
}

void nft_statement_end(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint32_t mask = ~NFT_ENDED_MARK, change = NFT_ENDED_MARK;

    (void)statement;
    nft_expression_load_conntrack(rule, NFT_CT_MARK);
    nft_expression_mask_bits(rule, &mask, &change, sizeof(mask));
    APPEND(rule, "ct", NUMBER(NFTNL_EXPR_CT_KEY, NFT_CT_MARK), NUMBER(NFTNL_EXPR_CT_SREG, NFT_REG_1));
}

void nft_statement_go_to(struct nft_rule *rule, const struct nft_statement *statement)
{
    APPEND(rule, "immediate", NUMBER(NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT), NUMBER(NFTNL_EXPR_IMM_VERDICT, NFT_GOTO),
           TEXT(NFTNL_EXPR_IMM_CHAIN, nft_chains[statement->value].name));
}
