/*
 * What anchord-way sends to the kernel for published ports is what libnftnl would write (HOST-5): the table anew,
 * whether it is there or not, as one transaction. `test_mark_table make` prints workers/way/mark_batch.c.
 */
#include "workers/way/mark_table.h"

#include <netinet/in.h> /* before linux/netfilter_ipv4.h, which then leaves its types alone */

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/if_arp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter_ipv4.h>
#include <net/ethernet.h>

#define PREPARED_TABLE "anchord_way"
#include "tests/unit/prepared_batch.h"

#define BIT       UINT32_C(0x00400000)
#define STATE_NEW (UINT32_C(1) << (IP_CT_NEW + 1)) /* NF_CT_STATE_BIT of the kernel's nf_conntrack_common.h */

static const uint32_t bit = BIT, other_bits = ~BIT, zero = 0;

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
    load_payload(rule, NFT_PAYLOAD_LL_HEADER, ETH_ALEN, ETH_ALEN, NFT_REG_1);
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

static void build(struct nft_batch *batch)
{
    begin_table(batch);
    add_chain(batch, "in", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE);
    add_chain(batch, "out", "route", NF_INET_LOCAL_OUT, NF_IP_PRI_MANGLE);
    add_rule(batch, "in", "ct state new ether saddr != MAC ct mark set ct mark or 0x00400000",
             mark_what_others_brought);
    add_rule(batch, "out",
             "ct direction reply ct mark and 0x00400000 == 0x00400000 meta mark set meta mark or 0x00400000",
             send_back_what_is_marked);
    end_table(batch);
}

static int make(void)
{
    struct nft_batch batch = {0};

    build(&batch);
    print_batch(
        &batch,
        "/* The transaction of mark_table.h. Made by `tests/unit/test_mark_table make`, which also compares. */\n"
        "#include \"workers/way/mark_table.h\"\n\n"
        "/* clang-format off */\n"
        "_Alignas(4) const unsigned char mark_batch[MARK_BATCH_SIZE] = {\n");
    (void)printf("/* clang-format on */\n");
    nft_batch_clear(&batch);
    return 0;
}

static void is_what_the_library_writes(void **state)
{
    struct nft_batch batch = {0};

    (void)state;
    build(&batch);
    assert_is_prepared(&batch, mark_batch, sizeof(mark_batch));
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
