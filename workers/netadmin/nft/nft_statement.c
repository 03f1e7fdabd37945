/* Words to write a rule with; see nft_statement.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_statement.h"

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

void rule_begin(struct rule *rule, struct nft_batch *batch, const struct nft_family *family, const char *table,
                enum nft_chain_index chain)
{
    *rule = (struct rule){
        .batch = batch,
        .family = family,
        .table = table,
        .chain = nft_chains[chain].name,
        .nftnl = nftnl_rule_alloc(),
    };
    if (!rule->nftnl) {
        nft_batch_fail(batch, -ENOMEM);
        return;
    }
    (void)nftnl_rule_set_str(rule->nftnl, NFTNL_RULE_TABLE, table);
    (void)nftnl_rule_set_str(rule->nftnl, NFTNL_RULE_CHAIN, rule->chain);
}

static void set_comment(struct rule *rule, const char *comment)
{
    struct nftnl_udata_buf *buffer = nftnl_udata_buf_alloc(NFTNL_UDATA_COMMENT_MAXLEN);

    if (!buffer || !nftnl_udata_put_strz(buffer, NFTNL_UDATA_RULE_COMMENT, comment)) {
        nft_batch_fail(rule->batch, -ENOMEM);
    } else {
        (void)nftnl_rule_set_data(rule->nftnl, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(buffer),
                                  nftnl_udata_buf_len(buffer));
    }
    if (buffer)
        nftnl_udata_buf_free(buffer);
}

void rule_end(struct rule *rule, const char *comment)
{
    struct nlmsghdr *message;

    if (!rule->nftnl)
        return;
    set_comment(rule, comment);
    message = nft_batch_add(rule->batch, NFT_MSG_NEWRULE, rule->family->nfproto, NLM_F_CREATE | NLM_F_APPEND,
                            "add rule %s %s %s: %s", rule->family->name, rule->table, rule->chain, comment);
    nftnl_rule_nlmsg_build_payload(message, rule->nftnl);
    nftnl_rule_free(rule->nftnl);
    rule->nftnl = NULL;
}

/* Appends an expression; NULL after an allocation failed, now or before. */
static struct nftnl_expr *append(struct rule *rule, const char *name)
{
    struct nftnl_expr *expression;

    if (!rule->nftnl)
        return NULL;
    expression = nftnl_expr_alloc(name);
    if (expression) {
        nftnl_rule_add_expr(rule->nftnl, expression);
        return expression;
    }
    nft_batch_fail(rule->batch, -ENOMEM);
    nftnl_rule_free(rule->nftnl);
    rule->nftnl = NULL;
    return NULL;
}

/* --- loads into register 1 and comparisons with it ------------------------------------------------------ */

static void load_meta(struct rule *rule, uint32_t key)
{
    struct nftnl_expr *meta = append(rule, "meta");

    if (!meta)
        return;
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_payload(struct rule *rule, uint32_t base, uint32_t offset, uint32_t length)
{
    struct nftnl_expr *payload = append(rule, "payload");

    if (!payload)
        return;
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, length);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static struct nftnl_expr *load_conntrack(struct rule *rule, uint32_t key)
{
    struct nftnl_expr *conntrack = append(rule, "ct");

    if (!conntrack)
        return NULL;
    nftnl_expr_set_u32(conntrack, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u32(conntrack, NFTNL_EXPR_CT_DREG, NFT_REG_1);
    return conntrack;
}

static void compare(struct rule *rule, uint32_t operation, const void *data, uint32_t length)
{
    struct nftnl_expr *comparison = append(rule, "cmp");

    if (!comparison)
        return;
    nftnl_expr_set_u32(comparison, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(comparison, NFTNL_EXPR_CMP_OP, operation);
    (void)nftnl_expr_set(comparison, NFTNL_EXPR_CMP_DATA, data, length);
}

/* register 1 = (register 1 & mask) ^ change */
static void mask_bits(struct rule *rule, const void *mask, const void *change, uint32_t length)
{
    struct nftnl_expr *bitwise = append(rule, "bitwise");

    if (!bitwise)
        return;
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, length);
    (void)nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, mask, length);
    (void)nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, change, length);
}

static void any_bit_of(struct rule *rule, uint32_t bits)
{
    const uint32_t zero = 0;

    mask_bits(rule, &bits, &zero, sizeof(bits));
    compare(rule, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static struct nftnl_expr *look_up(struct rule *rule, enum nft_set_index set)
{
    struct nftnl_expr *lookup = append(rule, "lookup");

    if (!lookup)
        return NULL;
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    (void)nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, nft_set_names[set]);
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SET_ID, (uint32_t)set + 1);
    return lookup;
}

static void load_immediate(struct rule *rule, const void *data, uint32_t length)
{
    struct nftnl_expr *immediate = append(rule, "immediate");

    if (!immediate)
        return;
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    (void)nftnl_expr_set(immediate, NFTNL_EXPR_IMM_DATA, data, length);
}

/* --- matches ------------------------------------------------------------------------------------------- */

static void match_interface(struct rule *rule, uint32_t key, uint32_t operation, const char *name)
{
    char padded[INTERFACE_NAME_LENGTH] = {0};

    memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
    load_meta(rule, key);
    compare(rule, operation, padded, sizeof(padded));
}

void rule_match_input(struct rule *rule, const char *interface)
{
    match_interface(rule, NFT_META_IIFNAME, NFT_CMP_EQ, interface);
}

void rule_match_not_input(struct rule *rule, const char *interface)
{
    match_interface(rule, NFT_META_IIFNAME, NFT_CMP_NEQ, interface);
}

void rule_match_output(struct rule *rule, const char *interface)
{
    match_interface(rule, NFT_META_OIFNAME, NFT_CMP_EQ, interface);
}

void rule_match_protocol(struct rule *rule, uint8_t protocol)
{
    load_meta(rule, NFT_META_L4PROTO);
    compare(rule, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void rule_match_external(struct rule *rule)
{
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, rule->family->destination_offset, rule->family->address_length);
    (void)look_up(rule, NFT_SET_EXTERNAL);
}

void rule_match_original_external(struct rule *rule)
{
    uint32_t key = rule->family->family == IP_FAMILY_4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6;
    struct nftnl_expr *conntrack = load_conntrack(rule, key);

    if (conntrack)
        nftnl_expr_set_u8(conntrack, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
    (void)look_up(rule, NFT_SET_EXTERNAL);
}

void rule_match_ports(struct rule *rule, uint16_t source, uint16_t destination)
{
    const uint16_t ports[] = {htons(source), htons(destination)};

    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, SOURCE_PORT_OFFSET, sizeof(ports));
    compare(rule, NFT_CMP_EQ, ports, sizeof(ports));
}

void rule_match_udp_destination(struct rule *rule, uint16_t port)
{
    const uint16_t wanted = htons(port);

    rule_match_protocol(rule, IPPROTO_UDP);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, sizeof(wanted));
    compare(rule, NFT_CMP_EQ, &wanted, sizeof(wanted));
}

void rule_match_icmp_types(struct rule *rule, uint8_t first, uint8_t last)
{
    rule_match_protocol(rule, rule->family->icmp_protocol);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(first));
    if (first == last) {
        compare(rule, NFT_CMP_EQ, &first, sizeof(first));
        return;
    }
    compare(rule, NFT_CMP_GTE, &first, sizeof(first));
    compare(rule, NFT_CMP_LTE, &last, sizeof(last));
}

void rule_match_time_to_live(struct rule *rule, uint8_t value)
{
    uint32_t offset = rule->family->family == IP_FAMILY_4 ? IPV4_TTL_OFFSET : IPV6_HOP_LIMIT_OFFSET;

    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof(value));
    compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

void rule_match_tcp_syn(struct rule *rule)
{
    static const uint8_t mask[] = {TH_SYN | TH_RST};
    static const uint8_t no_change[] = {0};
    static const uint8_t wanted[] = {TH_SYN};

    rule_match_protocol(rule, IPPROTO_TCP);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, sizeof(wanted));
    mask_bits(rule, mask, no_change, sizeof(mask));
    compare(rule, NFT_CMP_EQ, wanted, sizeof(wanted));
}

void rule_match_tcp_flags(struct rule *rule, uint8_t flags)
{
    static const uint8_t zero[] = {0};

    rule_match_protocol(rule, IPPROTO_TCP);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, sizeof(flags));
    mask_bits(rule, &flags, zero, sizeof(flags));
    compare(rule, NFT_CMP_NEQ, zero, sizeof(zero));
}

void rule_match_status(struct rule *rule, uint32_t bits)
{
    (void)load_conntrack(rule, NFT_CT_STATUS);
    any_bit_of(rule, bits);
}

void rule_match_state(struct rule *rule, uint32_t bits)
{
    (void)load_conntrack(rule, NFT_CT_STATE);
    any_bit_of(rule, bits);
}

void rule_match_reply(struct rule *rule)
{
    const uint8_t direction = IP_CT_DIR_REPLY;

    (void)load_conntrack(rule, NFT_CT_DIRECTION);
    compare(rule, NFT_CMP_EQ, &direction, sizeof(direction));
}

/* `flags`: what the routing tables are asked about, NFTA_FIB_F_…; `type`: RTN_… of linux/rtnetlink.h. */
static void match_address_type(struct rule *rule, uint32_t flags, uint32_t type)
{
    struct nftnl_expr *fib = append(rule, "fib");

    if (fib) {
        nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_FLAGS, flags);
        nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
        nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
    }
    compare(rule, NFT_CMP_EQ, &type, sizeof(type));
}

void rule_match_local_on_input(struct rule *rule)
{
    match_address_type(rule, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF, RTN_LOCAL);
}

void rule_match_destination_type(struct rule *rule, uint32_t type)
{
    match_address_type(rule, NFTA_FIB_F_DADDR, type);
}

void rule_match_source_type(struct rule *rule, uint32_t type)
{
    match_address_type(rule, NFTA_FIB_F_SADDR, type);
}

/* nft itself loads only the prefix's bytes when it ends at a byte: then no mask is needed. */
void rule_match_prefix(struct rule *rule, enum rule_side side, uint32_t operation, const struct ip_subnet *prefix)
{
    static const uint8_t zero[16];
    const struct ip_address first = ip_subnet_first(prefix);
    const struct ip_subnet all_ones = {
        .address = {.family = first.family, .bytes = {[0 ... 15] = 0xff}},
        .prefix_length = prefix->prefix_length,
    };
    const struct ip_address mask = ip_subnet_first(&all_ones);
    uint32_t offset = side == RULE_SOURCE ? rule->family->source_offset : rule->family->destination_offset;
    uint32_t length = rule->family->address_length;

    if (prefix->prefix_length % 8 == 0) {
        load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, prefix->prefix_length / 8U);
        compare(rule, operation, first.bytes, prefix->prefix_length / 8U);
        return;
    }
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, length);
    mask_bits(rule, mask.bytes, zero, length);
    compare(rule, operation, first.bytes, length);
}

/* --- statements ---------------------------------------------------------------------------------------- */

void rule_dnat_by_map(struct rule *rule, size_t protocol_index)
{
    /* The address takes one 32-bit register in ip, four in ip6; the port stands in the next. */
    uint32_t port_register = NFT_REG32_00 + rule->family->address_length / 4;
    struct nftnl_expr *lookup;
    struct nftnl_expr *nat;

    rule_match_protocol(rule, protocol_index == PROTOCOL_INDEX_TCP ? IPPROTO_TCP : IPPROTO_UDP);
    load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, sizeof(uint16_t));
    lookup = look_up(rule, nft_map_of_protocol(protocol_index));
    if (lookup)
        nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
    nat = append(rule, "nat");
    if (!nat)
        return;
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_FAMILY, rule->family->nfproto);
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_PROTO_MIN, port_register);
}

void rule_snat(struct rule *rule, const struct ip_address *address)
{
    struct nftnl_expr *nat;

    load_immediate(rule, address->bytes, rule->family->address_length);
    nat = append(rule, "nat");
    if (!nat)
        return;
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT);
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_FAMILY, rule->family->nfproto);
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
}

void rule_masquerade(struct rule *rule)
{
    (void)append(rule, "masq");
}

static struct nftnl_expr *store_payload(struct rule *rule, uint32_t offset, uint32_t length)
{
    struct nftnl_expr *payload = append(rule, "payload");

    if (!payload)
        return NULL;
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, length);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_SREG, NFT_REG_1);
    return payload;
}

/* v4: the header checksum sums 16-bit words, so TTL and protocol are rewritten as one word; v6 has none. */
void rule_set_time_to_live(struct rule *rule, uint8_t value)
{
    const uint8_t keep_protocol[] = {0, 0xff};
    const uint8_t change[] = {value, 0};
    struct nftnl_expr *payload;

    if (rule->family->family == IP_FAMILY_6) {
        load_immediate(rule, &value, sizeof(value));
        payload = store_payload(rule, IPV6_HOP_LIMIT_OFFSET, sizeof(value));
        if (payload)
            nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_NONE);
        return;
    }
    load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IPV4_TTL_OFFSET, sizeof(change));
    mask_bits(rule, keep_protocol, change, sizeof(change));
    payload = store_payload(rule, IPV4_TTL_OFFSET, sizeof(change));
    if (!payload)
        return;
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, IPV4_CHECKSUM_OFFSET);
}

/* The smaller of the path's MTUs in both directions, without the headers (net/netfilter/nft_rt.c, get_tcpmss); the
 * kernel only ever lowers the option (nft_exthdr.c). */
void rule_clamp_segments(struct rule *rule)
{
    struct nftnl_expr *route = append(rule, "rt");
    struct nftnl_expr *byte_order = append(rule, "byteorder");
    struct nftnl_expr *option = append(rule, "exthdr");

    if (!route || !byte_order || !option)
        return;
    nftnl_expr_set_u32(route, NFTNL_EXPR_RT_KEY, NFT_RT_TCPMSS);
    nftnl_expr_set_u32(route, NFTNL_EXPR_RT_DREG, NFT_REG_1);
    nftnl_expr_set_u32(byte_order, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
    nftnl_expr_set_u32(byte_order, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
    nftnl_expr_set_u32(byte_order, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
    nftnl_expr_set_u32(byte_order, NFTNL_EXPR_BYTEORDER_LEN, sizeof(uint16_t));
    nftnl_expr_set_u32(byte_order, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(uint16_t));
    nftnl_expr_set_u8(option, NFTNL_EXPR_EXTHDR_TYPE, TCPOPT_MAXSEG);
    nftnl_expr_set_u32(option, NFTNL_EXPR_EXTHDR_OFFSET, MAXSEG_SIZE_OFFSET);
    nftnl_expr_set_u32(option, NFTNL_EXPR_EXTHDR_LEN, sizeof(uint16_t));
    nftnl_expr_set_u32(option, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
    nftnl_expr_set_u32(option, NFTNL_EXPR_EXTHDR_SREG, NFT_REG_1);
}

void rule_verdict(struct rule *rule, uint32_t verdict)
{
    struct nftnl_expr *immediate = append(rule, "immediate");

    if (!immediate)
        return;
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_VERDICT, verdict);
}

static void reject(struct rule *rule, uint32_t type, uint8_t code)
{
    struct nftnl_expr *expression = append(rule, "reject");

    if (!expression)
        return;
    nftnl_expr_set_u32(expression, NFTNL_EXPR_REJECT_TYPE, type);
    nftnl_expr_set_u8(expression, NFTNL_EXPR_REJECT_CODE, code);
}

void rule_reject_with_reset(struct rule *rule)
{
    reject(rule, NFT_REJECT_TCP_RST, 0);
}

void rule_reject(struct rule *rule, uint8_t icmp_code)
{
    reject(rule, NFT_REJECT_ICMP_UNREACH, icmp_code);
}
