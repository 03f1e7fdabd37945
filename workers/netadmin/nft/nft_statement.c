/* The statements that rules are made of; see nft_statement.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_statement.h"

#include "workers/netadmin/nft/nft_expression.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/rtnetlink.h>
#include <netinet/tcp.h>
#include <string.h>

/* Offsets: RFC 791 §3.1, RFC 8200 §3; ports are the first four bytes of TCP and UDP. */
#define IPV4_TTL_OFFSET         8
#define IPV4_CHECKSUM_OFFSET    10
#define IPV6_HOP_LIMIT_OFFSET   7
#define SOURCE_PORT_OFFSET      0
#define DESTINATION_PORT_OFFSET 2
#define TCP_FLAGS_OFFSET        13 /* RFC 9293 §3.1 */
#define MAXSEG_SIZE_OFFSET      2  /* RFC 9293 §3.2: behind kind and length of the option */
#define INTERFACE_NAME_LENGTH   16 /* IFNAMSIZ: the name with all its zeros */

static void set_comment(struct nft_rule *rule, const char *comment)
{
    struct nftnl_udata_buf *buffer = nftnl_udata_buf_alloc(NFTNL_UDATA_COMMENT_MAXLEN);

    if (!buffer || !nftnl_udata_put_strz(buffer, NFTNL_UDATA_RULE_COMMENT, comment)) {
        nft_batch_fail(rule->context->batch, -ENOMEM);
    } else {
        (void)nftnl_rule_set_data(rule->nftnl, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(buffer),
                                  nftnl_udata_buf_len(buffer));
    }
    if (buffer)
        nftnl_udata_buf_free(buffer);
}

/* --- loads into register 1 and comparisons with it ------------------------------------------------------ */

static void load_meta(struct nft_rule *rule, uint32_t key)
{
    APPEND(rule, "meta", NUMBER(NFTNL_EXPR_META_KEY, key), NUMBER(NFTNL_EXPR_META_DREG, NFT_REG_1));
}

static void load_payload_to(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t length, uint32_t target)
{
    APPEND(rule, "payload", NUMBER(NFTNL_EXPR_PAYLOAD_BASE, base), NUMBER(NFTNL_EXPR_PAYLOAD_OFFSET, offset),
           NUMBER(NFTNL_EXPR_PAYLOAD_LEN, length), NUMBER(NFTNL_EXPR_PAYLOAD_DREG, target));
}

static void load_payload(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t length)
{
    load_payload_to(rule, base, offset, length, NFT_REG_1);
}

static void load_immediate(struct nft_rule *rule, const void *data, uint32_t length)
{
    APPEND(rule, "immediate", NUMBER(NFTNL_EXPR_IMM_DREG, NFT_REG_1), BYTES(NFTNL_EXPR_IMM_DATA, data, length));
}

static void compare(struct nft_rule *rule, uint32_t operation, const void *data, uint32_t length)
{
    APPEND(rule, "cmp", NUMBER(NFTNL_EXPR_CMP_SREG, NFT_REG_1), NUMBER(NFTNL_EXPR_CMP_OP, operation),
           BYTES(NFTNL_EXPR_CMP_DATA, data, length));
}

static void any_bit_of(struct nft_rule *rule, uint32_t bits)
{
    const uint32_t zero = 0;

    nft_expression_mask_bits(rule, &bits, &zero, sizeof(bits));
    compare(rule, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void is_in_set(struct nft_rule *rule, uint32_t set)
{
    APPEND(rule, "lookup", NUMBER(NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1), TEXT(NFTNL_EXPR_LOOKUP_SET, nft_set_names[set]),
           NUMBER(NFTNL_EXPR_LOOKUP_SET_ID, set + 1));
}

/* --- matches ------------------------------------------------------------------------------------------- */

static void match_interface(struct nft_rule *rule, uint32_t key, uint32_t operation, uint32_t interface)
{
    const struct network_view *view = rule->context->view;
    const char *const names[] = {
        [NFT_INTERFACE_EXTERNAL] = view->external_name,
        [NFT_INTERFACE_SHARED] = view->shared_name,
        [NFT_INTERFACE_HOST] = view->host_name,
        [NFT_INTERFACE_LOOPBACK] = "lo",
    };
    char padded[INTERFACE_NAME_LENGTH] = {0};
    size_t length = strnlen(names[interface], sizeof(padded) - 1);

    memcpy(padded, names[interface], length);
    load_meta(rule, key);
    compare(rule, operation, padded, length > 0 && padded[length - 1] == '*' ? (uint32_t)length - 1 : sizeof(padded));
}

void nft_statement_input(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_interface(rule, NFT_META_IIFNAME, NFT_CMP_EQ, statement->value);
}

void nft_statement_not_input(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_interface(rule, NFT_META_IIFNAME, NFT_CMP_NEQ, statement->value);
}

void nft_statement_output(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_interface(rule, NFT_META_OIFNAME, NFT_CMP_EQ, statement->value);
}

void nft_statement_not_output(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_interface(rule, NFT_META_OIFNAME, NFT_CMP_NEQ, statement->value);
}

static void match_protocol(struct nft_rule *rule, uint8_t protocol)
{
    load_meta(rule, NFT_META_L4PROTO);
    compare(rule, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void nft_statement_protocol(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_protocol(rule, (uint8_t)statement->value);
}

void nft_statement_icmp(struct nft_rule *rule, const struct nft_statement *statement)
{
    (void)statement;
    match_protocol(rule, rule->context->family->icmp_protocol);
}

void nft_statement_to_external(struct nft_rule *rule, const struct nft_statement *statement)
{
    const struct nft_family *family = rule->context->family;

    (void)statement;
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, family->destination_offset, family->address_length);
    is_in_set(rule, NFT_SET_EXTERNAL);
}

void nft_statement_from_set(struct nft_rule *rule, const struct nft_statement *statement)
{
    const struct nft_family *family = rule->context->family;

    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, family->source_offset, family->address_length);
    is_in_set(rule, statement->value);
}

void nft_statement_to_set(struct nft_rule *rule, const struct nft_statement *statement)
{
    const struct nft_family *family = rule->context->family;

    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, family->destination_offset, family->address_length);
    is_in_set(rule, statement->value);
}

/* Of an IPv6 address the first 64 bits. */
static void network_is_in_set(struct nft_rule *rule, uint32_t offset, uint32_t set)
{
    static const uint8_t mask[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t no_change[16];

    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof(mask));
    nft_expression_mask_bits(rule, mask, no_change, sizeof(mask));
    is_in_set(rule, set);
}

void nft_statement_from_network_in_set(struct nft_rule *rule, const struct nft_statement *statement)
{
    network_is_in_set(rule, rule->context->family->source_offset, statement->value);
}

void nft_statement_to_network_in_set(struct nft_rule *rule, const struct nft_statement *statement)
{
    network_is_in_set(rule, rule->context->family->destination_offset, statement->value);
}

void nft_statement_originally_to_external(struct nft_rule *rule, const struct nft_statement *statement)
{
    uint32_t key = rule->context->family->family == IP_FAMILY_4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6;
    const uint8_t direction = IP_CT_DIR_ORIGINAL;

    (void)statement;
    APPEND(rule, "ct", NUMBER(NFTNL_EXPR_CT_KEY, key), NUMBER(NFTNL_EXPR_CT_DREG, NFT_REG_1),
           BYTES(NFTNL_EXPR_CT_DIR, &direction, sizeof(direction)));
    is_in_set(rule, NFT_SET_EXTERNAL);
}

void nft_statement_ports(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint16_t ports[] = {htons((uint16_t)statement->value), htons((uint16_t)statement->last)};

    match_protocol(rule, IPPROTO_UDP);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, SOURCE_PORT_OFFSET, sizeof(ports));
    compare(rule, NFT_CMP_EQ, ports, sizeof(ports));
}

static void match_destination_port(struct nft_rule *rule, uint8_t protocol, uint16_t port)
{
    const uint16_t wanted = htons(port);

    match_protocol(rule, protocol);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, sizeof(wanted));
    compare(rule, NFT_CMP_EQ, &wanted, sizeof(wanted));
}

void nft_statement_destination_port(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_destination_port(rule, IPPROTO_UDP, (uint16_t)statement->value);
}

void nft_statement_icmp_types(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint8_t first = (uint8_t)statement->value;
    const uint8_t last = (uint8_t)statement->last;

    match_protocol(rule, rule->context->family->icmp_protocol);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(first));
    if (first == last) {
        compare(rule, NFT_CMP_EQ, &first, sizeof(first));
        return;
    }
    compare(rule, NFT_CMP_GTE, &first, sizeof(first));
    compare(rule, NFT_CMP_LTE, &last, sizeof(last));
}

void nft_statement_time_to_live(struct nft_rule *rule, const struct nft_statement *statement)
{
    uint32_t offset = rule->context->family->family == IP_FAMILY_4 ? IPV4_TTL_OFFSET : IPV6_HOP_LIMIT_OFFSET;
    const uint8_t value = (uint8_t)statement->value;

    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof(value));
    compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

/* Of the bits in `mask`, `operation` with `wanted`. */
static void match_tcp_flags(struct nft_rule *rule, uint8_t mask, uint32_t operation, uint8_t wanted)
{
    const uint8_t no_change = 0;

    match_protocol(rule, IPPROTO_TCP);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, sizeof(mask));
    nft_expression_mask_bits(rule, &mask, &no_change, sizeof(mask));
    compare(rule, operation, &wanted, sizeof(wanted));
}

void nft_statement_tcp_syn(struct nft_rule *rule, const struct nft_statement *statement)
{
    (void)statement;
    match_tcp_flags(rule, TH_SYN | TH_RST, NFT_CMP_EQ, TH_SYN);
}

void nft_statement_tcp_flags(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_tcp_flags(rule, (uint8_t)statement->value, NFT_CMP_NEQ, 0);
}

void nft_statement_status(struct nft_rule *rule, const struct nft_statement *statement)
{
    nft_expression_load_conntrack(rule, NFT_CT_STATUS);
    any_bit_of(rule, statement->value);
}

void nft_statement_state(struct nft_rule *rule, const struct nft_statement *statement)
{
    nft_expression_load_conntrack(rule, NFT_CT_STATE);
    any_bit_of(rule, statement->value);
}

void nft_statement_reply(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint8_t direction = IP_CT_DIR_REPLY;

    (void)statement;
    nft_expression_load_conntrack(rule, NFT_CT_DIRECTION);
    compare(rule, NFT_CMP_EQ, &direction, sizeof(direction));
}

void nft_statement_address_type(struct nft_rule *rule, const struct nft_statement *statement)
{
    APPEND(rule, "fib", NUMBER(NFTNL_EXPR_FIB_FLAGS, statement->value),
           NUMBER(NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE), NUMBER(NFTNL_EXPR_FIB_DREG, NFT_REG_1));
    compare(rule, NFT_CMP_EQ, &statement->last, sizeof(statement->last));
}

void nft_statement_no_way_back(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint8_t none = 0;

    (void)statement;
    APPEND(rule, "fib", NUMBER(NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT),
           NUMBER(NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_OIF), NUMBER(NFTNL_EXPR_FIB_DREG, NFT_REG_1));
    compare(rule, NFT_CMP_EQ, &none, sizeof(none)); /* `present` is one byte */
}

/* nft itself loads only the prefix's bytes when it ends at a byte: then no mask is needed. */
static void match_prefix(struct nft_rule *rule, uint32_t offset, uint32_t operation, const struct ip_subnet *prefix)
{
    static const uint8_t zero[16];
    const struct ip_address first = ip_subnet_first(prefix);
    const struct ip_subnet all_ones = {
        .address = {.family = first.family, .bytes = {[0 ... 15] = 0xff}},
        .prefix_length = prefix->prefix_length,
    };
    const struct ip_address mask = ip_subnet_first(&all_ones);
    uint32_t length = rule->context->family->address_length;

    if (prefix->prefix_length % 8 == 0) {
        load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, prefix->prefix_length / 8U);
        compare(rule, operation, first.bytes, prefix->prefix_length / 8U);
        return;
    }
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, length);
    nft_expression_mask_bits(rule, mask.bytes, zero, length);
    compare(rule, operation, first.bytes, length);
}

void nft_statement_from_prefix(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_prefix(rule, rule->context->family->source_offset, statement->value, statement->prefix);
}

void nft_statement_to_prefix(struct nft_rule *rule, const struct nft_statement *statement)
{
    match_prefix(rule, rule->context->family->destination_offset, statement->value, statement->prefix);
}

void nft_statement_from_inner(struct nft_rule *rule, const struct nft_statement *statement)
{
    (void)statement;
    match_prefix(rule, rule->context->family->source_offset, NFT_CMP_EQ, rule->inner);
}

/* --- who may come in (GUEST-1, GUEST-3) ------------------------------------------------------------------ */

/* Protocol and port each in a register of their own, and the source behind them. */
static void look_up_guest(struct nft_rule *rule, enum nft_set_index set, uint32_t flags)
{
    const struct nft_family *family = rule->context->family;

    load_meta(rule, NFT_META_L4PROTO);
    load_payload_to(rule, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, sizeof(uint16_t), NFT_REG32_01);
    if (set == NFT_SET_ALLOWED)
        load_payload_to(rule, NFT_PAYLOAD_NETWORK_HEADER, family->source_offset, family->address_length, NFT_REG32_02);
    APPEND(rule, "lookup", NUMBER(NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1), TEXT(NFTNL_EXPR_LOOKUP_SET, nft_set_names[set]),
           NUMBER(NFTNL_EXPR_LOOKUP_SET_ID, set + 1), NUMBER(NFTNL_EXPR_LOOKUP_FLAGS, flags));
}

void nft_statement_listed(struct nft_rule *rule, const struct nft_statement *statement)
{
    (void)statement;
    look_up_guest(rule, NFT_SET_LISTED, 0);
}

void nft_statement_not_allowed(struct nft_rule *rule, const struct nft_statement *statement)
{
    (void)statement;
    look_up_guest(rule, NFT_SET_ALLOWED, NFT_LOOKUP_F_INV);
}

void nft_statement_limited_port(struct nft_rule *rule, const struct nft_statement *statement)
{
    (void)statement;
    match_destination_port(rule, rule->limit->protocol, rule->limit->port_first);
}

static struct nftnl_expr *make_limit(const struct wire_guest *limit)
{
    const uint64_t rate = limit->rate, unit = limit->is_per_minute ? 60 : 1;
    struct nftnl_expr *expression = nftnl_expr_alloc("limit");

    if (!expression)
        return NULL;
    nftnl_expr_set_u64(expression, NFTNL_EXPR_LIMIT_RATE, rate);
    nftnl_expr_set_u64(expression, NFTNL_EXPR_LIMIT_UNIT, unit);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_LIMIT_BURST, limit->burst);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_LIMIT_FLAGS, 0);
    return expression;
}

/* A source that the full set does not take ends the rule, as one above its rate does. */
void nft_statement_within_limit(struct nft_rule *rule, const struct nft_statement *statement)
{
    static const uint8_t network6[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, zero[16];
    const struct nft_family *family = rule->context->family;
    struct nftnl_expr *limit = rule->nftnl ? make_limit(rule->limit) : NULL;
    char name[NFT_LIMIT_NAME_SIZE];

    (void)statement;
    if (!limit) {
        nft_batch_fail(rule->context->batch, -ENOMEM);
        return;
    }
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, family->source_offset, family->address_length);
    if (family->family == IP_FAMILY_6)
        nft_expression_mask_bits(rule, network6, zero, sizeof(network6));
    APPEND(rule, "dynset", NUMBER(NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1),
           NUMBER(NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE),
           TEXT(NFTNL_EXPR_DYNSET_SET_NAME, nft_limit_name(rule->limit, name)),
           BYTES(NFTNL_EXPR_DYNSET_EXPR, limit, 0)); /* which is the rule's then */
    if (!rule->nftnl)
        nftnl_expr_free(limit);
}

void nft_statement_ended(struct nft_rule *rule, const struct nft_statement *statement)
{
    (void)statement;
    nft_expression_load_conntrack(rule, NFT_CT_MARK);
    any_bit_of(rule, NFT_ENDED_MARK);
}

/* --- statements ---------------------------------------------------------------------------------------- */

void nft_statement_dnat_by_map(struct nft_rule *rule, const struct nft_statement *statement)
{
    const struct nft_family *family = rule->context->family;
    enum nft_set_index map = nft_map_of_protocol(statement->value);
    /* The address takes one 32-bit register in ip, four in ip6; the port stands in the next. */
    uint32_t port_register = NFT_REG32_00 + family->address_length / 4;

    match_protocol(rule, statement->value == PROTOCOL_INDEX_TCP ? IPPROTO_TCP : IPPROTO_UDP);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, sizeof(uint16_t));
    APPEND(rule, "lookup", NUMBER(NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1), TEXT(NFTNL_EXPR_LOOKUP_SET, nft_set_names[map]),
           NUMBER(NFTNL_EXPR_LOOKUP_SET_ID, map + 1), NUMBER(NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1));
    APPEND(rule, "nat", NUMBER(NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT), NUMBER(NFTNL_EXPR_NAT_FAMILY, family->nfproto),
           NUMBER(NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1), NUMBER(NFTNL_EXPR_NAT_REG_PROTO_MIN, port_register));
}

void nft_statement_snat(struct nft_rule *rule, const struct nft_statement *statement)
{
    const struct network_view *view = rule->context->view;
    const struct ip_address *address =
        rule->context->family->family == IP_FAMILY_4 ? &view->egress4 : &view->egress6_global;

    if (statement->value == NFT_EGRESS_UNIQUE_LOCAL || !address->family)
        address = &view->egress6_unique_local;
    load_immediate(rule, address->bytes, rule->context->family->address_length);
    APPEND(rule, "nat", NUMBER(NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT),
           NUMBER(NFTNL_EXPR_NAT_FAMILY, rule->context->family->nfproto),
           NUMBER(NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1));
}

void nft_statement_masquerade(struct nft_rule *rule, const struct nft_statement *statement)
{
    (void)statement;
    nft_expression_append(rule, "masq", &(const struct attribute){0});
}

static void store_payload(struct nft_rule *rule, uint32_t offset, uint32_t length, uint32_t checksum_type)
{
    struct attribute checksum_offset = NUMBER(NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, IPV4_CHECKSUM_OFFSET);

    if (checksum_type != NFT_PAYLOAD_CSUM_INET)
        checksum_offset.type = 0; /* the end */
    APPEND(rule, "payload", NUMBER(NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER),
           NUMBER(NFTNL_EXPR_PAYLOAD_OFFSET, offset), NUMBER(NFTNL_EXPR_PAYLOAD_LEN, length),
           NUMBER(NFTNL_EXPR_PAYLOAD_SREG, NFT_REG_1), NUMBER(NFTNL_EXPR_PAYLOAD_CSUM_TYPE, checksum_type),
           checksum_offset);
}

/* v4: the header checksum sums 16-bit words, so TTL and protocol are rewritten as one word; v6 has none. */
void nft_statement_set_time_to_live(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint8_t keep_protocol[] = {0, 0xff};
    const uint8_t change[] = {(uint8_t)statement->value, 0};

    if (rule->context->family->family == IP_FAMILY_6) {
        load_immediate(rule, change, 1);
        store_payload(rule, IPV6_HOP_LIMIT_OFFSET, 1, NFT_PAYLOAD_CSUM_NONE);
        return;
    }
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IPV4_TTL_OFFSET, sizeof(change));
    nft_expression_mask_bits(rule, keep_protocol, change, sizeof(change));
    store_payload(rule, IPV4_TTL_OFFSET, sizeof(change), NFT_PAYLOAD_CSUM_INET);
}

/* The smaller of the path's MTUs in both directions, without the headers (net/netfilter/nft_rt.c, get_tcpmss); the
 * kernel only ever lowers the option (nft_exthdr.c). */
void nft_statement_clamp_segments(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint8_t option = TCPOPT_MAXSEG;

    (void)statement;
    APPEND(rule, "rt", NUMBER(NFTNL_EXPR_RT_KEY, NFT_RT_TCPMSS), NUMBER(NFTNL_EXPR_RT_DREG, NFT_REG_1));
    APPEND(rule, "byteorder", NUMBER(NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1),
           NUMBER(NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1), NUMBER(NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON),
           NUMBER(NFTNL_EXPR_BYTEORDER_LEN, sizeof(uint16_t)), NUMBER(NFTNL_EXPR_BYTEORDER_SIZE, sizeof(uint16_t)));
    APPEND(rule, "exthdr", BYTES(NFTNL_EXPR_EXTHDR_TYPE, &option, sizeof(option)),
           NUMBER(NFTNL_EXPR_EXTHDR_OFFSET, MAXSEG_SIZE_OFFSET), NUMBER(NFTNL_EXPR_EXTHDR_LEN, sizeof(uint16_t)),
           NUMBER(NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT), NUMBER(NFTNL_EXPR_EXTHDR_SREG, NFT_REG_1));
}

void nft_statement_verdict(struct nft_rule *rule, const struct nft_statement *statement)
{
    APPEND(rule, "immediate", NUMBER(NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT),
           NUMBER(NFTNL_EXPR_IMM_VERDICT, statement->value));
}

void nft_statement_reject(struct nft_rule *rule, const struct nft_statement *statement)
{
    const uint8_t code = (uint8_t)statement->last;

    APPEND(rule, "reject", NUMBER(NFTNL_EXPR_REJECT_TYPE, statement->value),
           BYTES(NFTNL_EXPR_REJECT_CODE, &code, sizeof(code)));
}

/* --- rules ----------------------------------------------------------------------------------------------- */

void nft_statement_add_rule(const struct nft_rule_context *context, const struct nft_rule_text *text,
                            const struct ip_subnet *inner, const struct wire_guest *limit)
{
    const struct nft_family *family = context->family;
    const char *chain = nft_chains[text->chain].name;
    struct nft_rule rule = {.context = context, .inner = inner, .limit = limit, .nftnl = nftnl_rule_alloc()};
    struct nlmsghdr *message;

    if (!rule.nftnl) {
        nft_batch_fail(context->batch, -ENOMEM);
        return;
    }
    (void)nftnl_rule_set_str(rule.nftnl, NFTNL_RULE_TABLE, context->table);
    (void)nftnl_rule_set_str(rule.nftnl, NFTNL_RULE_CHAIN, chain);
    for (size_t i = 0; i < NFT_STATEMENTS_MAX && text->statements[i].append; i++)
        text->statements[i].append(&rule, &text->statements[i]);
    if (!rule.nftnl)
        return;
    set_comment(&rule, text->comment);
    message = nft_batch_add(context->batch, NFT_MSG_NEWRULE, family->nfproto, NLM_F_CREATE | NLM_F_APPEND,
                            "add rule %s %s %s: %s", family->name, context->table, chain, text->comment);
    nftnl_rule_nlmsg_build_payload(message, rule.nftnl);
    nftnl_rule_free(rule.nftnl);
}
