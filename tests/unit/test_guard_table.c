/*
 * What anchord-links sends to the kernel for the guard is what libnftnl would write (HOST-6): the table anew, whether
 * it is there or not, as one transaction; two tables. `test_guard_table make` prints workers/links/guard_batch.c.
 */
#include "workers/links/guard_batch.h"

#include <netinet/in.h> /* before linux/netfilter_ipv4.h, which then leaves its types alone */

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stddef.h>

#define PREPARED_TABLE GUARD_TABLE
#include "tests/unit/prepared_batch.h"

/* What nft(8) calls the types of keys (its enum datatypes), one beside the other in a concatenation. */
enum { TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_INTERFACE = 41, TYPE_BITS = 6 };
/* And its enum byteorder. */
enum { HOST_ENDIAN = 1 };

static void add_set(struct nft_batch *batch, const char *name, uint32_t type, size_t size)
{
    struct nftnl_set *set = nftnl_set_alloc();
    struct nftnl_udata_buf *userdata = nftnl_udata_buf_alloc(2 + sizeof(uint32_t)); /* for nft(8) */
    const uint32_t key_type = type ? TYPE_INTERFACE << TYPE_BITS | type : TYPE_INTERFACE;

    assert_non_null(set);
    assert_non_null(userdata);
    assert_int_equal(nftnl_set_set_str(set, NFTNL_SET_TABLE, GUARD_TABLE), 0);
    assert_int_equal(nftnl_set_set_str(set, NFTNL_SET_NAME, name), 0);
    nftnl_set_set_u32(set, NFTNL_SET_ID, (uint32_t)batch->operation_count); /* the kernel demands one */
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, key_type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, (uint32_t)(IFNAMSIZ + size));
    assert_true(nftnl_udata_put_u32(userdata, NFTNL_UDATA_SET_KEYBYTEORDER, HOST_ENDIAN));
    nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(userdata), nftnl_udata_buf_len(userdata));
    nftnl_udata_buf_free(userdata);
    nftnl_set_nlmsg_build_payload(nft_batch_add(batch, NFT_MSG_NEWSET, prepared_family, NLM_F_CREATE, "set %s", name),
                                  set);
    nftnl_set_free(set);
}

static void look_up(struct nftnl_rule *rule, const char *set)
{
    struct nftnl_expr *expression = nftnl_expr_alloc("lookup");

    (void)nftnl_expr_set_str(expression, NFTNL_EXPR_LOOKUP_SET, set);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_rule_add_expr(rule, expression);
}

static void decide(struct nftnl_rule *rule, uint32_t verdict)
{
    struct nftnl_expr *expression = nftnl_expr_alloc("immediate");

    nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_VERDICT, verdict);
    nftnl_rule_add_expr(rule, expression);
}

/* To the project, by the link that it has with the host. */
static void goes_by_host_link(struct nftnl_rule *rule)
{
    static const char name[IFNAMSIZ] = GUARD_HOST_LINK;

    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_OIFNAME, NFTNL_EXPR_META_DREG);
    compare(rule, NFT_CMP_EQ, name, sizeof(name));
}

static void drop_forged_host(struct nftnl_rule *rule)
{
    static const uint32_t local = RTN_LOCAL;
    struct nftnl_expr *expression = nftnl_expr_alloc("fib");

    goes_by_host_link(rule);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR);
    nftnl_rule_add_expr(rule, expression);
    compare(rule, NFT_CMP_EQ, &local, sizeof(local));
    decide(rule, NF_DROP);
}

static void drop_from_parent(struct nftnl_rule *rule)
{
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_IIFNAME, NFTNL_EXPR_META_DREG);
    look_up(rule, "parent");
    goes_by_host_link(rule);
    decide(rule, NF_DROP);
}

static void pass_between_containers(struct nftnl_rule *rule)
{
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_OIFNAME, NFTNL_EXPR_META_DREG);
    look_up(rule, "bridges");
    decide(rule, NF_ACCEPT);
}

static void pass_published(struct nftnl_rule *rule)
{
    static const uint32_t translated = IPS_DST_NAT, zero = 0;

    move(rule, "ct", NFTNL_EXPR_CT_KEY, NFT_CT_STATUS, NFTNL_EXPR_CT_DREG);
    change_bits(rule, &translated, &zero);
    compare(rule, NFT_CMP_NEQ, &zero, sizeof(zero));
    decide(rule, NF_ACCEPT);
}

static void pass_replies(struct nftnl_rule *rule)
{
    static const uint8_t reply = IP_CT_DIR_REPLY;

    move(rule, "ct", NFTNL_EXPR_CT_KEY, NFT_CT_DIRECTION, NFTNL_EXPR_CT_DREG);
    compare(rule, NFT_CMP_EQ, &reply, sizeof(reply));
    decide(rule, NF_ACCEPT);
}

static void keep_in_bridges(struct nftnl_rule *rule)
{
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_IIFNAME, NFTNL_EXPR_META_DREG);
    look_up(rule, "owned");
    decide(rule, NF_DROP);
}

static void keep_in_addresses(struct nftnl_rule *rule, uint8_t family, const char *set, size_t offset, size_t length)
{
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_NFPROTO, NFTNL_EXPR_META_DREG);
    compare(rule, NFT_CMP_EQ, &family, sizeof(family));
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_IIFNAME, NFTNL_EXPR_META_DREG);
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, (uint32_t)offset, (uint32_t)length, NFT_REG_2);
    look_up(rule, set);
    decide(rule, NF_DROP);
}

static void keep_in_addresses4(struct nftnl_rule *rule)
{
    keep_in_addresses(rule, NFPROTO_IPV4, "guarded4", offsetof(struct iphdr, saddr), sizeof(struct in_addr));
}

static void keep_in_addresses6(struct nftnl_rule *rule)
{
    keep_in_addresses(rule, NFPROTO_IPV6, "guarded6", offsetof(struct ip6_hdr, ip6_src), sizeof(struct in6_addr));
}

static void build(struct nft_batch *batch)
{
    begin_table(batch);
    add_set(batch, "parent", 0, 0);
    add_set(batch, "bridges", 0, 0);
    add_set(batch, "owned", 0, 0);
    add_set(batch, "guarded4", TYPE_IPV4, sizeof(struct in_addr));
    add_set(batch, "guarded6", TYPE_IPV6, sizeof(struct in6_addr));
    add_chain(batch, "forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER - 1);
    add_rule(batch, "forward", "oifname \"" GUARD_HOST_LINK "\" fib saddr type local drop", drop_forged_host);
    add_rule(batch, "forward", "oifname @bridges accept", pass_between_containers);
    add_rule(batch, "forward", "ct status dnat accept", pass_published);
    add_rule(batch, "forward", "ct direction reply accept", pass_replies);
    add_rule(batch, "forward", "iifname @parent oifname \"" GUARD_HOST_LINK "\" drop", drop_from_parent);
    add_rule(batch, "forward", "iifname @owned drop", keep_in_bridges);
    add_rule(batch, "forward", "iifname . ip saddr @guarded4 drop", keep_in_addresses4);
    add_rule(batch, "forward", "iifname . ip6 saddr @guarded6 drop", keep_in_addresses6);
    end_table(batch);
}

/* --- what comes to our pairs ---------------------------------------------------------------------------- */

static void pass_to_others(struct nftnl_rule *rule)
{
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_OIFNAME, NFTNL_EXPR_META_DREG);
    compare(rule, NFT_CMP_NEQ, GUARD_PORTS_PREFIX, strlen(GUARD_PORTS_PREFIX));
    decide(rule, NF_ACCEPT);
}

static void pass_owned(struct nftnl_rule *rule)
{
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_OIFNAME, NFTNL_EXPR_META_DREG);
    look_up(rule, "owned");
    decide(rule, NF_ACCEPT);
}

static void is_protocol(struct nftnl_rule *rule, uint16_t protocol)
{
    const uint16_t wanted = htons(protocol);

    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_PROTOCOL, NFTNL_EXPR_META_DREG);
    compare(rule, NFT_CMP_EQ, &wanted, sizeof(wanted));
}

static void pass_arp(struct nftnl_rule *rule)
{
    is_protocol(rule, ETH_P_ARP);
    decide(rule, NF_ACCEPT);
}

static void pass_neighbours(struct nftnl_rule *rule)
{
    static const uint8_t mask = 0xfe, zero = 0;
    struct nftnl_expr *expression = nftnl_expr_alloc("bitwise");

    is_protocol(rule, ETH_P_IPV6);
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_dst), sizeof(mask), NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
    (void)nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
    (void)nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero));
    nftnl_rule_add_expr(rule, expression);
    compare(rule, NFT_CMP_EQ, &mask, sizeof(mask));
    decide(rule, NF_ACCEPT);
}

static void pass_addresses(struct nftnl_rule *rule, uint16_t protocol, const char *set, size_t offset, size_t length)
{
    is_protocol(rule, protocol);
    move(rule, "meta", NFTNL_EXPR_META_KEY, NFT_META_OIFNAME, NFTNL_EXPR_META_DREG);
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, (uint32_t)offset, (uint32_t)length, NFT_REG_2);
    look_up(rule, set);
    decide(rule, NF_ACCEPT);
}

static void pass_addresses4(struct nftnl_rule *rule)
{
    pass_addresses(rule, ETH_P_IP, "guarded4", offsetof(struct iphdr, saddr), sizeof(struct in_addr));
}

static void pass_addresses6(struct nftnl_rule *rule)
{
    pass_addresses(rule, ETH_P_IPV6, "guarded6", offsetof(struct ip6_hdr, ip6_src), sizeof(struct in6_addr));
}

static void drop(struct nftnl_rule *rule)
{
    decide(rule, NF_DROP);
}

static void build_ports(struct nft_batch *batch)
{
    prepared_family = NFPROTO_BRIDGE;
    begin_table(batch);
    add_set(batch, "owned", 0, 0);
    add_set(batch, "guarded4", TYPE_IPV4, sizeof(struct in_addr));
    add_set(batch, "guarded6", TYPE_IPV6, sizeof(struct in6_addr));
    add_chain(batch, "forward", "filter", NF_INET_FORWARD, 0);
    add_rule(batch, "forward", "oifname != \"" GUARD_PORTS_PREFIX "*\" accept", pass_to_others);
    add_rule(batch, "forward", "oifname @owned accept", pass_owned);
    add_rule(batch, "forward", "meta protocol arp accept", pass_arp);
    add_rule(batch, "forward", "ip6 daddr fe00::/7 accept", pass_neighbours);
    add_rule(batch, "forward", "oifname . ip saddr @guarded4 accept", pass_addresses4);
    add_rule(batch, "forward", "oifname . ip6 saddr @guarded6 accept", pass_addresses6);
    add_rule(batch, "forward", "drop", drop);
    end_table(batch);
    prepared_family = NFPROTO_INET;
}

static int make(void)
{
    struct nft_batch batch = {0};

    build(&batch);
    print_batch(&batch,
                "/* The transactions of guard.h. Made by `tests/unit/test_guard_table make`, which also compares. */\n"
                "#include \"workers/links/guard_batch.h\"\n\n"
                "/* clang-format off */\n"
                "_Alignas(4) const unsigned char guard_batch[GUARD_BATCH_SIZE] = {\n");
    nft_batch_clear(&batch);
    build_ports(&batch);
    print_batch(&batch, "\n_Alignas(4) const unsigned char guard_port_batch[GUARD_PORT_BATCH_SIZE] = {\n");
    (void)printf("/* clang-format on */\n");
    nft_batch_clear(&batch);
    return 0;
}

static void is_what_the_library_writes(void **state)
{
    struct nft_batch batch = {0};

    (void)state;
    build(&batch);
    assert_is_prepared(&batch, guard_batch, sizeof(guard_batch));
    nft_batch_clear(&batch);
    build_ports(&batch);
    assert_is_prepared(&batch, guard_port_batch, sizeof(guard_port_batch));
    nft_batch_clear(&batch);
}

/* Where guard.c cuts it: the elements go between sets and chain. */
static void places_are_named_rightly(void **state)
{
    struct nft_batch batch = {0};

    (void)state;
    build(&batch);
    assert_int_equal(GUARD_BATCH_REMOVAL, GUARD_BATCH_EDGE_SIZE + nft_batch_offset(&batch, 1));
    assert_int_equal(GUARD_BATCH_ADDITION, GUARD_BATCH_EDGE_SIZE + nft_batch_offset(&batch, 2));
    assert_int_equal(GUARD_BATCH_RULES, GUARD_BATCH_EDGE_SIZE + nft_batch_offset(&batch, 8));
    nft_batch_clear(&batch);
    build_ports(&batch);
    assert_int_equal(GUARD_BATCH_ADDITION, GUARD_BATCH_EDGE_SIZE + nft_batch_offset(&batch, 2));
    assert_int_equal(GUARD_PORT_RULES, GUARD_BATCH_EDGE_SIZE + nft_batch_offset(&batch, 6));
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
