/*
 * Transactions of nftables that a program has as bytes, so that it needs no library that writes them: built here as
 * libnftnl writes them, printed, and compared.
 *
 * Included once by a test program, behind cmocka.h, which defines PREPARED_TABLE: the table. Its family is inet, unless
 * `prepared_family` says another one.
 */
#pragma once

#include "workers/netadmin/nft/nft_batch.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS            119
#define BATCH_ROOM         (4 * (size_t)NFT_MESSAGE_ROOM)
#define PREPARED_EDGE_SIZE 20 /* of the messages that begin and end the transaction */

static uint8_t prepared_family = NFPROTO_INET;

static const char *prepared_family_name(void)
{
    return prepared_family == NFPROTO_INET ? "inet" : "bridge";
}

static void add_table(struct nft_batch *batch, uint16_t type)
{
    struct nftnl_table *table = nftnl_table_alloc();

    assert_non_null(table);
    assert_int_equal(nftnl_table_set_str(table, NFTNL_TABLE_NAME, PREPARED_TABLE), 0);
    nftnl_table_nlmsg_build_payload(nft_batch_add(batch, type, prepared_family,
                                                  type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0,
                                                  "%s table %s " PREPARED_TABLE,
                                                  type == NFT_MSG_NEWTABLE ? "add" : "delete", prepared_family_name()),
                                    table);
    nftnl_table_free(table);
}

/* Anew, whether it was there or not. */
static void begin_table(struct nft_batch *batch)
{
    /* What libraries leave between attributes is nothing of ours: zero. */
    batch->bytes = calloc(1, BATCH_ROOM);
    batch->capacity = BATCH_ROOM;
    assert_non_null(batch->bytes);
    add_table(batch, NFT_MSG_NEWTABLE);
    add_table(batch, NFT_MSG_DELTABLE);
    add_table(batch, NFT_MSG_NEWTABLE);
}

static void add_chain(struct nft_batch *batch, const char *name, const char *type, uint32_t hook, int32_t priority)
{
    static const char *const hooks[] = {"prerouting", "input", "forward", "output", "postrouting"};
    struct nftnl_chain *chain = nftnl_chain_alloc();

    assert_non_null(chain);
    assert_int_equal(nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, PREPARED_TABLE), 0);
    assert_int_equal(nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name), 0);
    assert_int_equal(nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, type), 0);
    nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook);
    nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, priority);
    nftnl_chain_nlmsg_build_payload(nft_batch_add(batch, NFT_MSG_NEWCHAIN, prepared_family, NLM_F_CREATE,
                                                  "chain %s { type %s hook %s priority %d; }", name, type, hooks[hook],
                                                  priority),
                                    chain);
    nftnl_chain_free(chain);
}

/* Loads or stores by a register. */
static void move_by(struct nftnl_rule *rule, const char *name, uint16_t key_type, uint32_t key, uint16_t register_type,
                    uint32_t number)
{
    struct nftnl_expr *expression = nftnl_expr_alloc(name);

    nftnl_expr_set_u32(expression, key_type, key);
    nftnl_expr_set_u32(expression, register_type, number);
    nftnl_rule_add_expr(rule, expression);
}

static void move(struct nftnl_rule *rule, const char *name, uint16_t key_type, uint32_t key, uint16_t register_type)
{
    move_by(rule, name, key_type, key, register_type, NFT_REG_1);
}

static void load_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t length, uint32_t number)
{
    struct nftnl_expr *expression = nftnl_expr_alloc("payload");

    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, length);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_DREG, number);
    nftnl_rule_add_expr(rule, expression);
}

static void compare(struct nftnl_rule *rule, uint32_t operation, const void *data, uint32_t size)
{
    struct nftnl_expr *expression = nftnl_expr_alloc("cmp");

    nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, operation);
    (void)nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, size);
    nftnl_rule_add_expr(rule, expression);
}

/* register 1 = (register 1 & mask) ^ change */
static void change_bits(struct nftnl_rule *rule, const uint32_t *mask, const uint32_t *change)
{
    struct nftnl_expr *expression = nftnl_expr_alloc("bitwise");

    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, sizeof(*mask));
    (void)nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, mask, sizeof(*mask));
    (void)nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, change, sizeof(*change));
    nftnl_rule_add_expr(rule, expression);
}

static void add_rule(struct nft_batch *batch, const char *chain, const char *text,
                     void (*add_expressions)(struct nftnl_rule *rule))
{
    struct nftnl_rule *rule = nftnl_rule_alloc();

    assert_non_null(rule);
    assert_int_equal(nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, PREPARED_TABLE), 0);
    assert_int_equal(nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain), 0);
    add_expressions(rule);
    nftnl_rule_nlmsg_build_payload(
        nft_batch_add(batch, NFT_MSG_NEWRULE, prepared_family, NLM_F_CREATE | NLM_F_APPEND, "%s: %s", chain, text),
        rule);
    nftnl_rule_free(rule);
}

static void end_table(const struct nft_batch *batch)
{
    size_t last = batch->operations[batch->operation_count - 1].offset;

    assert_int_equal(batch->error, 0);
    ((struct nlmsghdr *)(batch->bytes + last))->nlmsg_flags |= NLM_F_ACK; /* one answer for all */
}

static void print_bytes(const char *text, const unsigned char *bytes, size_t size)
{
    int column = COLUMNS;

    (void)printf("    /* %s */", text);
    for (size_t i = 0; i < size; i++) {
        bool is_full = column + (int)sizeof(" 255,") > COLUMNS;

        column = (is_full ? 0 : column) + printf(is_full ? "\n    %u," : " %u,", bytes[i]);
    }
    (void)printf("\n");
}

/* The C file: `heading` is all that comes before the first message. */
static void print_batch(const struct nft_batch *batch, const char *heading)
{
    unsigned char edge[PREPARED_EDGE_SIZE];

    (void)nftnl_batch_begin((char *)edge, 0);
    (void)printf("%s", heading);
    print_bytes("begin", edge, sizeof(edge));
    for (size_t i = 0; i < batch->operation_count; i++)
        print_bytes(batch->operations[i].text, batch->bytes + batch->operations[i].offset,
                    nft_batch_offset(batch, i + 1) - batch->operations[i].offset);
    (void)nftnl_batch_end((char *)edge, 0);
    print_bytes("end", edge, sizeof(edge));
    (void)printf("};\n");
}

static void assert_is_prepared(const struct nft_batch *batch, const unsigned char *prepared, size_t prepared_size)
{
    size_t size = nft_batch_offset(batch, batch->operation_count);
    char edge[PREPARED_EDGE_SIZE];

    assert_int_equal(prepared_size, size + (2 * sizeof(edge)));
    (void)nftnl_batch_begin(edge, 0);
    assert_memory_equal(prepared, edge, sizeof(edge));
    assert_memory_equal(prepared + sizeof(edge), batch->bytes, size);
    (void)nftnl_batch_end(edge, 0);
    assert_memory_equal(prepared + sizeof(edge) + size, edge, sizeof(edge));
}
