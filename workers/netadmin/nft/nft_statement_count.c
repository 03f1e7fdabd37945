/* The statements that count, and what leads to them; see nft_statement.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_expression.h"
#include "workers/netadmin/nft/nft_statement.h"

#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>

/* Its element counts by being looked up. */
void nft_statement_original_port_in(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint8_t direction = IP_CT_DIR_ORIGINAL;

    APPEND(rule, "ct", NUMBER(NFTNL_EXPR_CT_KEY, NFT_CT_PROTO_DST), NUMBER(NFTNL_EXPR_CT_DREG, NFT_REG_1),
           BYTES(NFTNL_EXPR_CT_DIR, &direction, sizeof(direction)));
    APPEND(rule, "lookup", NUMBER(NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1),
           TEXT(NFTNL_EXPR_LOOKUP_SET, nft_set_names[statement->value]),
           NUMBER(NFTNL_EXPR_LOOKUP_SET_ID, statement->value + 1));
}

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
