/* How statements become expressions; see nft_expression.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_expression.h"

#include <linux/netfilter/nf_tables.h>

void nft_expression_append(struct nft_rule *rule, const char *name, const struct attribute *attributes)
{
    struct nftnl_expr *expression;

    if (!rule->nftnl)
        return;
    expression = nftnl_expr_alloc(name);
    if (!expression) {
        nft_batch_fail(rule->context->batch, -ENOMEM);
        nftnl_rule_free(rule->nftnl);
        rule->nftnl = NULL;
        return;
    }
    for (; attributes->type; attributes++) {
        if (attributes->bytes)
            (void)nftnl_expr_set(expression, attributes->type, attributes->bytes, attributes->length);
        else
            nftnl_expr_set_u32(expression, attributes->type, attributes->number);
    }
    nftnl_rule_add_expr(rule->nftnl, expression);
}

void nft_expression_load_conntrack(struct nft_rule *rule, uint32_t key)
{
    APPEND(rule, "ct", NUMBER(NFTNL_EXPR_CT_KEY, key), NUMBER(NFTNL_EXPR_CT_DREG, NFT_REG_1));
}

void nft_expression_mask_bits(struct nft_rule *rule, const void *mask, const void *change, uint32_t length)
{
    APPEND(rule, "bitwise", NUMBER(NFTNL_EXPR_BITWISE_SREG, NFT_REG_1), NUMBER(NFTNL_EXPR_BITWISE_DREG, NFT_REG_1),
           NUMBER(NFTNL_EXPR_BITWISE_LEN, length), BYTES(NFTNL_EXPR_BITWISE_MASK, mask, length),
           BYTES(NFTNL_EXPR_BITWISE_XOR, change, length));
}
