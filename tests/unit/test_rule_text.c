/* Unit tests of workers/commands/ruleset/rule_text: rules as the kernel encodes them, and what nft would print. */
#include "workers/commands/ruleset/rule_text.h"
#include "workers/commands/ruleset/symbols.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <errno.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct nftnl_rule *rule;
static char text[RULE_TEXT_SIZE];

static int begin(void **state)
{
    (void)state;
    rule = nftnl_rule_alloc();
    nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
    nftnl_rule_set_u64(rule, NFTNL_RULE_HANDLE, 9);
    return rule ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    nftnl_rule_free(rule);
    return 0;
}

static struct nftnl_expr *add(const char *name)
{
    struct nftnl_expr *expression = nftnl_expr_alloc(name);

    assert_non_null(expression);
    nftnl_rule_add_expr(rule, expression);
    return expression;
}

static void add_meta(uint32_t key)
{
    struct nftnl_expr *meta = add("meta");

    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void add_comparison(uint32_t operation, const void *data, uint32_t length)
{
    struct nftnl_expr *comparison = add("cmp");

    nftnl_expr_set_u32(comparison, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(comparison, NFTNL_EXPR_CMP_OP, operation);
    assert_int_equal(nftnl_expr_set(comparison, NFTNL_EXPR_CMP_DATA, data, length), 0);
}

static void add_destination_port(uint16_t port)
{
    struct nftnl_expr *payload = add("payload");
    uint16_t wire = htons(port);

    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, 2);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, sizeof(wire));
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    add_comparison(NFT_CMP_EQ, &wire, sizeof(wire));
}

/* (ip saddr & mask) ^ change == address; the mask is `length` bytes long. */
static void add_changed_source(const uint8_t mask[4], const uint8_t change[4], uint32_t length,
                               const uint8_t address[4])
{
    struct nftnl_expr *payload = add("payload");
    struct nftnl_expr *bitwise = add("bitwise");

    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, 12);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, 4);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, length);
    assert_int_equal(nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, mask, length), 0);
    assert_int_equal(nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, change, length), 0);
    add_comparison(NFT_CMP_EQ, address, 4);
}

static void add_masked_source(const uint8_t mask[4], const uint8_t address[4])
{
    add_changed_source(mask, (const uint8_t[4]){0}, 4, address);
}

static void add_protocol(uint8_t protocol)
{
    add_meta(NFT_META_L4PROTO);
    add_comparison(NFT_CMP_EQ, &protocol, sizeof(protocol));
}

static void add_verdict(uint32_t verdict)
{
    struct nftnl_expr *immediate = add("immediate");

    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_VERDICT, verdict);
}

static void a_port_implies_its_protocol(void **state)
{
    const char name[16] = "eth0";

    (void)state;
    add_meta(NFT_META_IIFNAME);
    add_comparison(NFT_CMP_NEQ, name, sizeof(name));
    add_protocol(IPPROTO_TCP);
    add_destination_port(25);
    add_verdict(NF_DROP);
    assert_int_equal(rule_text_format(rule, text), 0);
    assert_string_equal(text, "iifname != \"eth0\" tcp dport 25 drop");
}

static void a_protocol_alone_is_written(void **state)
{
    (void)state;
    add_protocol(IPPROTO_UDP);
    add_verdict(NF_ACCEPT);
    assert_int_equal(rule_text_format(rule, text), 0);
    assert_string_equal(text, "meta l4proto udp accept");
}

static void add_icmp_type(uint8_t protocol, uint8_t type)
{
    struct nftnl_expr *payload;

    add_protocol(protocol);
    payload = add("payload");
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, 0);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, 1);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    add_comparison(NFT_CMP_EQ, &type, sizeof(type));
    add_verdict(NF_DROP);
}

static void one_type_of_icmp_has_its_name(void **state)
{
    (void)state;
    add_icmp_type(IPPROTO_ICMP, 5);
    assert_int_equal(rule_text_format(rule, text), 0);
    assert_string_equal(text, "icmp type redirect drop");
}

static void one_type_of_icmpv6_has_its_name(void **state)
{
    (void)state;
    add_icmp_type(IPPROTO_ICMPV6, 137);
    assert_int_equal(rule_text_format(rule, text), 0);
    assert_string_equal(text, "icmpv6 type nd-redirect drop");
}

static void a_type_without_a_name_is_a_number(void **state)
{
    (void)state;
    add_icmp_type(IPPROTO_ICMP, 19);
    assert_int_equal(rule_text_format(rule, text), 0);
    assert_string_equal(text, "icmp type 19 drop");
}

/* (tcp flags & mask) OPERATION value */
static void add_tcp_flags(uint8_t mask, uint32_t operation, uint8_t value)
{
    const uint8_t no_change = 0;
    struct nftnl_expr *payload;
    struct nftnl_expr *bitwise;

    add_protocol(IPPROTO_TCP);
    payload = add("payload");
    bitwise = add("bitwise");
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, 13);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, 1);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, 1);
    assert_int_equal(nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, &mask, 1), 0);
    assert_int_equal(nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, &no_change, 1), 0);
    add_comparison(operation, &value, 1);
}

static void any_of_some_tcp_flags_is_written_as_their_list(void **state)
{
    (void)state;
    add_tcp_flags(0x14, NFT_CMP_NEQ, 0);
    add_verdict(NF_DROP);
    assert_int_equal(rule_text_format(rule, text), 0);
    assert_string_equal(text, "tcp flags rst,ack drop");
}

static void other_comparisons_of_tcp_flags_are_not_guessed(void **state)
{
    (void)state;
    add_tcp_flags(0x14, NFT_CMP_EQ, 0);
    add_verdict(NF_DROP);
    assert_int_equal(rule_text_format(rule, text), -ENOTSUP);
}

static void an_unknown_expression_hides_nothing(void **state)
{
    (void)state;
    add_protocol(IPPROTO_TCP);
    add("counter");
    add_verdict(NF_ACCEPT);
    assert_int_equal(rule_text_format(rule, text), -ENOTSUP);
    assert_string_equal(text, "# rule with handle 9 is not one of anchord's: counter");
}

/* Nobody has edited anything: it is of a list, which has no words here. */
static void a_rule_of_a_list_is_no_stranger(void **state)
{
    static const char comment[] = "\0\x17not on the port's list";

    (void)state;
    add_protocol(IPPROTO_TCP);
    add("counter");
    add_verdict(NF_ACCEPT);
    assert_int_equal(nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, comment, sizeof(comment)), 0);
    assert_int_equal(rule_text_format(rule, text), -ENOTSUP);
    assert_string_equal(text, "# rule with handle 9 has no words here; its comment: not on the port's list");
}

static void another_register_is_not_guessed(void **state)
{
    struct nftnl_expr *meta;

    (void)state;
    meta = add("meta");
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_L4PROTO);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_2);
    assert_int_equal(rule_text_format(rule, text), -ENOTSUP);
}

static void a_mask_is_written_as_the_length_of_a_prefix(void **state)
{
    (void)state;
    add_masked_source((const uint8_t[]){255, 255, 254, 0}, (const uint8_t[]){10, 9, 8, 0});
    add_verdict(NF_DROP);
    assert_int_equal(rule_text_format(rule, text), 0);
    assert_string_equal(text, "ip saddr 10.9.8.0/23 drop");
}

static void a_mask_with_a_hole_is_no_prefix(void **state)
{
    (void)state;
    add_masked_source((const uint8_t[]){255, 0, 255, 0}, (const uint8_t[]){10, 0, 8, 0});
    add_verdict(NF_DROP);
    assert_int_equal(rule_text_format(rule, text), -ENOTSUP);
}

static void bits_that_are_turned_over_are_not_hidden(void **state)
{
    (void)state;
    add_changed_source((const uint8_t[]){255, 255, 255, 255}, (const uint8_t[]){0, 0, 0, 1}, 4,
                       (const uint8_t[]){10, 9, 8, 7});
    add_verdict(NF_DROP);
    assert_int_equal(rule_text_format(rule, text), -ENOTSUP);
}

static void a_mask_over_a_part_is_not_taken_for_a_prefix(void **state)
{
    (void)state;
    add_changed_source((const uint8_t[]){255, 255, 0, 0}, (const uint8_t[4]){0}, 2, (const uint8_t[]){10, 9, 8, 7});
    add_verdict(NF_DROP);
    assert_int_equal(rule_text_format(rule, text), -ENOTSUP);
}

static void a_masked_address_is_looked_up(void **state)
{
    struct nftnl_expr *lookup;

    (void)state;
    add_masked_source((const uint8_t[]){255, 255, 255, 0}, (const uint8_t[]){10, 9, 8, 0});
    lookup = add("lookup");
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, "external");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    assert_int_equal(rule_text_format(rule, text), 0);
    assert_string_equal(text, "ip saddr 10.9.8.0/24 ip saddr & 255.255.255.0 == @external");
}

static void a_comment_is_what_nft_writes(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t length;
        const char *text;
    } cases[] = {
        {"\0\4mine", 6, NULL},
        {"\0\5mine\0", 7, "meta l4proto udp comment \"mine\""},
        {"\0\5mi\nn\0", 7, NULL},
        {"\0\5\033[1m\0", 7, NULL},
        {"\0\5mi\"n\0", 7, NULL},
        {"\0\011mine\0", 7, NULL},
        {"\0\0", 2, NULL},
        {"\0", 1, NULL},
        {"\1\1x", 3, "meta l4proto udp"},
        {"\1\1x\0\2m\0", 7, "meta l4proto udp comment \"m\""},
    };

    (void)state;
    add_protocol(IPPROTO_UDP);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, cases[i].bytes, cases[i].length), 0);
        assert_int_equal(rule_text_format(rule, text), cases[i].text ? 0 : -ENOTSUP);
        if (cases[i].text)
            assert_string_equal(text, cases[i].text);
    }
}

static void a_priority_far_from_every_name_is_a_number(void **state)
{
    char priority[SYMBOL_PRIORITY_SIZE];

    (void)state;
    assert_string_equal(symbol_priority(NF_INET_FORWARD, 5, priority), "filter + 5");
    assert_string_equal(symbol_priority(NF_INET_FORWARD, INT32_MAX, priority), "2147483647");
    assert_string_equal(symbol_priority(NF_INET_FORWARD, INT32_MIN, priority), "-2147483648");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_port_implies_its_protocol, begin, end),
        cmocka_unit_test_setup_teardown(a_protocol_alone_is_written, begin, end),
        cmocka_unit_test_setup_teardown(one_type_of_icmp_has_its_name, begin, end),
        cmocka_unit_test_setup_teardown(one_type_of_icmpv6_has_its_name, begin, end),
        cmocka_unit_test_setup_teardown(a_type_without_a_name_is_a_number, begin, end),
        cmocka_unit_test_setup_teardown(any_of_some_tcp_flags_is_written_as_their_list, begin, end),
        cmocka_unit_test_setup_teardown(other_comparisons_of_tcp_flags_are_not_guessed, begin, end),
        cmocka_unit_test_setup_teardown(an_unknown_expression_hides_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_rule_of_a_list_is_no_stranger, begin, end),
        cmocka_unit_test_setup_teardown(another_register_is_not_guessed, begin, end),
        cmocka_unit_test_setup_teardown(a_mask_is_written_as_the_length_of_a_prefix, begin, end),
        cmocka_unit_test_setup_teardown(a_mask_with_a_hole_is_no_prefix, begin, end),
        cmocka_unit_test_setup_teardown(bits_that_are_turned_over_are_not_hidden, begin, end),
        cmocka_unit_test_setup_teardown(a_masked_address_is_looked_up, begin, end),
        cmocka_unit_test_setup_teardown(a_comment_is_what_nft_writes, begin, end),
        cmocka_unit_test_setup_teardown(a_mask_over_a_part_is_not_taken_for_a_prefix, begin, end),
        cmocka_unit_test(a_priority_far_from_every_name_is_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
