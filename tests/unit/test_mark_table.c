/*
 * What anchord-way sends to the kernel for published ports is what libnftnl would write (HOST-5): the table anew,
 * whether it is there or not, as one transaction. `test_mark_table make` prints workers/way/mark_batch.c.
 */
#include "workers/netadmin/nft/nft_batch.h"
#include "workers/way/mark_table.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/if_arp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <net/ethernet.h>

#define TABLE          "anchord_way"
#define BIT            UINT32_C(0x00400000)
#define BYTES_PER_LINE 31
#define BATCH_ROOM     (4 * (size_t)NFT_MESSAGE_ROOM)
#define STATE_NEW      (UINT32_C(1) << (IP_CT_NEW + 1)) /* NF_CT_STATE_BIT of the kernel's nf_conntrack_common.h */

static const uint32_t bit = BIT, other_bits = ~BIT, zero = 0;

static void add_table(struct nft_batch *batch, uint16_t type)
{
    struct nftnl_table *table = nftnl_table_alloc();

    assert_non_null(table);
    assert_int_equal(nftnl_table_set_str(table, NFTNL_TABLE_NAME, TABLE), 0);
    nftnl_table_nlmsg_build_payload(nft_batch_add(batch, type, NFPROTO_INET,
                                                  type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, "%s table inet " TABLE,
                                                  type == NFT_MSG_NEWTABLE ? "add" : "delete"),
                                    table);
    nftnl_table_free(table);
}

static void add_chain(struct nft_batch *batch, const char *name, const char *type, uint32_t hook)
{
    struct nftnl_chain *chain = nftnl_chain_alloc();

    assert_non_null(chain);
    assert_int_equal(nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, TABLE), 0);
    assert_int_equal(nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name), 0);
    assert_int_equal(nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, type), 0);
    nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook);
    nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, NF_IP_PRI_MANGLE);
    nftnl_chain_nlmsg_build_payload(nft_batch_add(batch, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE,
                                                  "chain %s { type %s hook %s priority mangle; }", name, type,
                                                  hook == NF_INET_PRE_ROUTING ? "prerouting" : "output"),
                                    chain);
    nftnl_chain_free(chain);
}

/* Loads or stores by register 1. */
static void move(struct nftnl_rule *rule, const char *name, uint16_t key_type, uint32_t key, uint16_t register_type)
{
    struct nftnl_expr *expression = nftnl_expr_alloc(name);

    nftnl_expr_set_u32(expression, key_type, key);
    nftnl_expr_set_u32(expression, register_type, NFT_REG_1);
    nftnl_rule_add_expr(rule, expression);
}

static void load_source_mac(struct nftnl_rule *rule)
{
    struct nftnl_expr *expression = nftnl_expr_alloc("payload");

    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, ETH_ALEN);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, ETH_ALEN);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
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
    assert_int_equal(nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, TABLE), 0);
    assert_int_equal(nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain), 0);
    add_expressions(rule);
    nftnl_rule_nlmsg_build_payload(
        nft_batch_add(batch, NFT_MSG_NEWRULE, NFPROTO_INET, NLM_F_CREATE | NLM_F_APPEND, "%s: %s", chain, text), rule);
    nftnl_rule_free(rule);
}

static void mark_what_others_brought(struct nftnl_rule *rule)
{
    static const uint32_t new = STATE_NEW;
    static const uint16_t ethernet = ARPHRD_ETHER;
    static const uint8_t mac[ETH_ALEN]; /* filled in by who sends it */

    move(rule, "ct", NFTNL_EXPR_CT_KEY, NFT_CT_STATE, NFTNL_EXPR_CT_DREG);
    change_bits(rule, &new, &zero);
    compare(rule, NFT_CMP_NEQ, &zero, sizeof(zero));
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_IIFTYPE, NFTNL_EXPR_META_DREG);
    compare(rule, NFT_CMP_EQ, &ethernet, sizeof(ethernet));
    load_source_mac(rule);
    compare(rule, NFT_CMP_NEQ, mac, sizeof(mac));
    move(rule, "ct", NFTNL_EXPR_CT_KEY, NFT_CT_MARK, NFTNL_EXPR_CT_DREG);
    change_bits(rule, &other_bits, &bit);
    move(rule, "ct", NFTNL_EXPR_CT_KEY, NFT_CT_MARK, NFTNL_EXPR_CT_SREG);
}

static void send_back_what_is_marked(struct nftnl_rule *rule)
{
    static const uint8_t reply = IP_CT_DIR_REPLY;

    move(rule, "ct", NFTNL_EXPR_CT_KEY, NFT_CT_DIRECTION, NFTNL_EXPR_CT_DREG);
    compare(rule, NFT_CMP_EQ, &reply, sizeof(reply));
    move(rule, "ct", NFTNL_EXPR_CT_KEY, NFT_CT_MARK, NFTNL_EXPR_CT_DREG);
    change_bits(rule, &bit, &zero);
    compare(rule, NFT_CMP_EQ, &bit, sizeof(bit));
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_MARK, NFTNL_EXPR_META_DREG);
    change_bits(rule, &other_bits, &bit);
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_MARK, NFTNL_EXPR_META_SREG);
}

static struct nlmsghdr *message_of(const struct nft_batch *batch, size_t operation)
{
    return (struct nlmsghdr *)(batch->bytes + batch->operations[operation].offset);
}

static void build(struct nft_batch *batch)
{
    /* What libraries leave between attributes is nothing of ours: zero. */
    batch->bytes = calloc(1, BATCH_ROOM);
    batch->capacity = BATCH_ROOM;
    assert_non_null(batch->bytes);
    add_table(batch, NFT_MSG_NEWTABLE);
    add_table(batch, NFT_MSG_DELTABLE);
    add_table(batch, NFT_MSG_NEWTABLE);
    add_chain(batch, "in", "filter", NF_INET_PRE_ROUTING);
    add_chain(batch, "out", "route", NF_INET_LOCAL_OUT);
    add_rule(batch, "in", "ct state new ether saddr != MAC ct mark set ct mark or 0x00400000",
             mark_what_others_brought);
    add_rule(batch, "out",
             "ct direction reply ct mark and 0x00400000 == 0x00400000 meta mark set meta mark or 0x00400000",
             send_back_what_is_marked);
    assert_int_equal(batch->error, 0);
    message_of(batch, batch->operation_count - 1)->nlmsg_flags |= NLM_F_ACK; /* one answer for all */
}

static void print_bytes(const char *text, const unsigned char *bytes, size_t size)
{
    (void)printf("    /* %s */\n   ", text);
    for (size_t i = 0; i < size; i++)
        (void)printf("%s %u,", i > 0 && i % BYTES_PER_LINE == 0 ? "\n   " : "", bytes[i]);
    (void)printf("\n");
}

static int make(void)
{
    struct nft_batch batch = {0};
    char begin[MARK_BATCH_EDGE_SIZE], end[MARK_BATCH_EDGE_SIZE];

    build(&batch);
    (void)nftnl_batch_begin(begin, 0);
    (void)nftnl_batch_end(end, 0);
    (void)printf(
        "/* The transaction of mark_table.h. Made by `tests/unit/test_mark_table make`, which also compares. */\n"
        "#include \"workers/way/mark_table.h\"\n\n"
        "/* clang-format off */\n"
        "_Alignas(4) const unsigned char mark_batch[MARK_BATCH_SIZE] = {\n");
    print_bytes("begin", (const unsigned char *)begin, sizeof(begin));
    for (size_t i = 0; i < batch.operation_count; i++)
        print_bytes(batch.operations[i].text, batch.bytes + batch.operations[i].offset,
                    nft_batch_offset(&batch, i + 1) - batch.operations[i].offset);
    print_bytes("end", (const unsigned char *)end, sizeof(end));
    (void)printf("};\n/* clang-format on */\n");
    nft_batch_clear(&batch);
    return 0;
}

static void is_what_the_library_writes(void **state)
{
    struct nft_batch batch = {0};
    char edge[MARK_BATCH_EDGE_SIZE];
    size_t size;

    (void)state;
    build(&batch);
    size = nft_batch_offset(&batch, batch.operation_count);
    assert_int_equal(MARK_BATCH_SIZE, size + (2 * (size_t)MARK_BATCH_EDGE_SIZE));
    (void)nftnl_batch_begin(edge, 0);
    assert_memory_equal(mark_batch, edge, sizeof(edge));
    assert_memory_equal(mark_batch + sizeof(edge), batch.bytes, size);
    (void)nftnl_batch_end(edge, 0);
    assert_memory_equal(mark_batch + sizeof(edge) + size, edge, sizeof(edge));
    nft_batch_clear(&batch);
}

/* Where mark_table.c cuts it and fills it in. */
static void places_are_named_rightly(void **state)
{
    static const unsigned char value[] = {4 + ETH_ALEN, 0, NFTA_DATA_VALUE, 0, 0, 0, 0, 0, 0, 0};
    struct nft_batch batch = {0};
    size_t found = 0;

    (void)state;
    build(&batch);
    assert_int_equal(MARK_BATCH_REMOVAL, MARK_BATCH_EDGE_SIZE + nft_batch_offset(&batch, 1));
    assert_int_equal(MARK_BATCH_ADDITION, MARK_BATCH_EDGE_SIZE + nft_batch_offset(&batch, 2));
    /* The only value of six bytes: its attribute is 4 + 6 long, of type NFTA_DATA_VALUE. */
    for (size_t i = 0; i + sizeof(value) <= MARK_BATCH_SIZE; i += 4)
        found += memcmp(mark_batch + i, value, sizeof(value)) == 0 ? i + 4 : 0;
    assert_int_equal(MARK_BATCH_MAC_OFFSET, found);
    nft_batch_clear(&batch);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_the_library_writes),
        cmocka_unit_test(places_are_named_rightly),
    };

    if (argc == 2 && strcmp(argv[1], "make") == 0)
        return make();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
