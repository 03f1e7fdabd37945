/* What a rule compares; see rule_writer.h. Runs in anchord-ruleset, pure. */
#include "common/address.h"
#include "workers/commands/ruleset/rule_writer.h"
#include "workers/commands/ruleset/symbols.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

/* RFC 9293 §3.1 */
#define TCP_FLAGS_OFFSET 13

static const char *operator_text(uint32_t operation)
{
    return operation == NFT_CMP_NEQ ? "!= " : "";
}

static bool compare_meta(struct rule_writer *writer, uint32_t operation, const uint8_t *data, uint32_t length)
{
    const char *field = writer->operand.key == NFT_META_IIFNAME   ? "iifname"
                        : writer->operand.key == NFT_META_OIFNAME ? "oifname"
                                                                  : NULL;

    if (writer->operand.is_masked)
        return false;
    if (writer->operand.key == NFT_META_L4PROTO && length == 1 && operation == NFT_CMP_EQ) {
        rule_write_protocol(writer);
        writer->protocol = data[0];
        return true;
    }
    if (!field || length > 16 || length == 0)
        return false;
    if (length < 16 && !memchr(data, '\0', length)) { /* shorter than IFNAMSIZ: whatever begins so */
        PUT(writer, "%s %s\"%.*s*\"", field, operator_text(operation), (int)length, (const char *)data);
        return true;
    }
    if (length != 16 || data[length - 1] != '\0')
        return false;
    PUT(writer, "%s %s\"%s\"", field, operator_text(operation), (const char *)data);
    return true;
}

/* The number of leading ones; -1 when a one follows a zero. */
static int prefix_of_mask(const uint8_t *mask, uint32_t length)
{
    int prefix = 0;
    bool has_ended = false;

    for (uint32_t bit = 0; bit < length * 8; bit++) {
        bool is_set = mask[bit / 8] & 0x80U >> bit % 8;

        if (is_set && has_ended)
            return -1;
        has_ended = !is_set;
        prefix += is_set;
    }
    return prefix;
}

static bool compare_address(struct rule_writer *writer, uint32_t operation, const uint8_t *data, uint32_t length)
{
    const struct operand *operand = &writer->operand;
    const char *field = rule_network_field(writer, operand->offset);
    uint8_t bytes[ADDRESS6_BYTES] = {0};
    char text[IP_ADDRESS_TEXT_SIZE];
    struct ip_address address;
    int prefix = operand->is_masked ? prefix_of_mask(operand->mask, length) : (int)length * 8;

    if (!field || prefix < 0 || length > rule_address_length(writer) || length != operand->length)
        return false;
    memcpy(bytes, data, length);
    address = ip_address_from_bytes(writer->nfproto == NFPROTO_IPV4 ? IP_FAMILY_4 : IP_FAMILY_6, bytes);
    PUT(writer, "%s %s%s", field, operator_text(operation), ip_address_format(&address, text));
    if (prefix < (int)rule_address_length(writer) * 8)
        rule_put_raw(writer, "/%d", prefix);
    return true;
}

static bool compare_network(struct rule_writer *writer, uint32_t operation, const uint8_t *data, uint32_t length)
{
    if (operation != NFT_CMP_EQ && operation != NFT_CMP_NEQ)
        return false;
    if (!rule_is_time_to_live(writer, writer->operand.offset) || length != 1)
        return compare_address(writer, operation, data, length);
    if (writer->operand.is_masked)
        return false;
    PUT(writer, "%s %s%u", rule_time_to_live_field(writer), operator_text(operation), data[0]);
    return true;
}

/* icmpv6 type 130-137: two comparisons of one load; icmp type redirect: one alone has a name */
static bool compare_icmp_type(struct rule_writer *writer, uint32_t operation, uint8_t type)
{
    bool is_v4 = writer->protocol == IPPROTO_ICMP;
    const char *name = is_v4 ? "icmp" : "icmpv6";
    const char *symbol = is_v4 ? symbol_icmp_type(type) : symbol_icmpv6_type(type);

    if (operation == NFT_CMP_GTE && writer->range_first < 0) {
        writer->range_first = type;
        return true;
    }
    writer->protocol = 0;
    if (operation == NFT_CMP_LTE && writer->range_first >= 0)
        PUT(writer, "%s type %d-%u", name, writer->range_first, type);
    else if ((operation != NFT_CMP_EQ && operation != NFT_CMP_NEQ) || writer->range_first >= 0)
        return false;
    else if (symbol)
        PUT(writer, "%s type %s%s", name, operator_text(operation), symbol);
    else
        PUT(writer, "%s type %s%u", name, operator_text(operation), type);
    writer->range_first = -1;
    return true;
}

/* udp sport 67 udp dport 68: nft compares two neighbours at once */
static bool compare_ports(struct rule_writer *writer, const char *name, uint32_t operation, const uint8_t *data,
                          uint32_t length)
{
    unsigned int first = (unsigned int)data[0] << 8 | data[1];

    if (operation != NFT_CMP_EQ && operation != NFT_CMP_NEQ)
        return false;
    writer->protocol = 0;
    if (length == 4 && writer->operand.offset == 0 && operation == NFT_CMP_EQ) {
        PUT(writer, "%s sport %u %s dport %u", name, first, name, (unsigned int)data[2] << 8 | data[3]);
        return true;
    }
    if (length != 2 || writer->operand.offset > 2 || writer->operand.offset % 2)
        return false;
    PUT(writer, "%s %s %s%u", name, writer->operand.offset ? "dport" : "sport", operator_text(operation), first);
    return true;
}

/* tcp flags syn / syn,rst: of these two bits the first alone; tcp flags rst,ack: any of them */
static bool compare_tcp_flags(struct rule_writer *writer, uint32_t operation, uint8_t data)
{
    uint8_t mask = writer->operand.mask[0];
    char bits[SYMBOL_BITS_SIZE];

    if (operation == NFT_CMP_NEQ && data == 0 && symbol_tcp_flags(mask, bits)) {
        writer->protocol = 0;
        PUT(writer, "tcp flags %s", bits);
        return true;
    }
    if (operation != NFT_CMP_EQ || mask != (TH_SYN | TH_RST) || data != TH_SYN)
        return false;
    writer->protocol = 0;
    PUT(writer, "tcp flags syn / syn,rst");
    return true;
}

static bool compare_transport(struct rule_writer *writer, uint32_t operation, const uint8_t *data, uint32_t length)
{
    const struct operand *operand = &writer->operand;
    bool is_icmp = writer->protocol == IPPROTO_ICMP || writer->protocol == IPPROTO_ICMPV6;

    if (length != operand->length)
        return false;
    if (operand->is_masked)
        return writer->protocol == IPPROTO_TCP && operand->offset == TCP_FLAGS_OFFSET && length == 1 &&
               compare_tcp_flags(writer, operation, data[0]);
    if (is_icmp && operand->offset == 0 && length == 1)
        return compare_icmp_type(writer, operation, data[0]);
    if (writer->protocol == IPPROTO_TCP || writer->protocol == IPPROTO_UDP)
        return length >= 2 && compare_ports(writer, symbol_protocol(writer->protocol), operation, data, length);
    return false;
}

/* ct status dnat: any of the bits of the mask, i.e. (status & mask) != 0 */
static bool compare_ct_bits(struct rule_writer *writer, uint32_t operation, const uint8_t *data, uint32_t length)
{
    const struct operand *operand = &writer->operand;
    bool is_status = operand->key == NFT_CT_STATUS;
    char bits[SYMBOL_BITS_SIZE];
    const char *text;
    uint32_t mask;
    uint32_t value;

    if (length != sizeof(value) || !operand->is_masked || operation != NFT_CMP_NEQ)
        return false;
    memcpy(&mask, operand->mask, sizeof(mask));
    memcpy(&value, data, sizeof(value));
    text = is_status ? symbol_ct_status(mask, bits) : symbol_ct_state(mask, bits);
    if (value != 0 || !text)
        return false;
    PUT(writer, "ct %s %s", is_status ? "status" : "state", text);
    return true;
}

/* ct mark & 0x00400000 != 0x00000000 */
static bool compare_mark(struct rule_writer *writer, uint32_t operation, const uint8_t *data, uint32_t length)
{
    uint32_t mask, value;

    if (length != sizeof(value) || !writer->operand.is_masked || operation != NFT_CMP_NEQ)
        return false;
    memcpy(&mask, writer->operand.mask, sizeof(mask));
    memcpy(&value, data, sizeof(value));
    PUT(writer, "ct mark & 0x%08x != 0x%08x", mask, value);
    return true;
}

static bool compare_ct(struct rule_writer *writer, uint32_t operation, const uint8_t *data, uint32_t length)
{
    if (writer->operand.key == NFT_CT_STATUS || writer->operand.key == NFT_CT_STATE)
        return compare_ct_bits(writer, operation, data, length);
    if (writer->operand.key == NFT_CT_MARK)
        return compare_mark(writer, operation, data, length);
    if (writer->operand.key != NFT_CT_DIRECTION || length != 1 || writer->operand.is_masked || data[0] > 1 ||
        (operation != NFT_CMP_EQ && operation != NFT_CMP_NEQ))
        return false;
    PUT(writer, "ct direction %s%s", operator_text(operation), data[0] == IP_CT_DIR_REPLY ? "reply" : "original");
    return true;
}

/* fib daddr . iif type local; fib saddr type local */
static bool compare_fib(struct rule_writer *writer, uint32_t operation, const uint8_t *data, uint32_t length)
{
    uint32_t flags = writer->operand.key;
    const char *type;
    uint32_t value;

    if (length == 1 && flags == (NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT) && data[0] == 0 &&
        operation == NFT_CMP_EQ && !writer->operand.is_masked) {
        PUT(writer, "fib saddr . iif oif missing");
        return true;
    }
    if (length != sizeof(value) || writer->operand.is_masked || (operation != NFT_CMP_EQ && operation != NFT_CMP_NEQ))
        return false;
    memcpy(&value, data, sizeof(value));
    type = symbol_address_type(value);
    if (!type || ((flags & ~(uint32_t)NFTA_FIB_F_IIF) != NFTA_FIB_F_DADDR &&
                  (flags & ~(uint32_t)NFTA_FIB_F_IIF) != NFTA_FIB_F_SADDR))
        return false;
    PUT(writer, "fib %s%s type %s%s", flags & NFTA_FIB_F_SADDR ? "saddr" : "daddr",
        flags & NFTA_FIB_F_IIF ? " . iif" : "", operator_text(operation), type);
    return true;
}

/* A mask keeps bits; what also turns some over has no words of ours in a comparison. */
bool rule_turns_bits_over(const struct operand *operand)
{
    for (size_t i = 0; operand->is_masked && i < sizeof(operand->change); i++) {
        if (operand->change[i] != 0)
            return true;
    }
    return false;
}

bool rule_write_comparison(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    uint32_t operation = nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_OP);
    uint32_t length = 0;
    const uint8_t *data = nftnl_expr_get(expression, NFTNL_EXPR_CMP_DATA, &length);

    if (!data || length == 0 || !rule_uses_register_1(expression, NFTNL_EXPR_CMP_SREG) ||
        rule_turns_bits_over(&writer->operand))
        return false;
    switch (writer->operand.kind) {
    case OPERAND_META:
        return (operation == NFT_CMP_EQ || operation == NFT_CMP_NEQ) && compare_meta(writer, operation, data, length);
    case OPERAND_PAYLOAD:
        if (writer->operand.key == NFT_PAYLOAD_NETWORK_HEADER)
            return compare_network(writer, operation, data, length);
        return writer->operand.key == NFT_PAYLOAD_TRANSPORT_HEADER &&
               compare_transport(writer, operation, data, length);
    case OPERAND_CT:
        return compare_ct(writer, operation, data, length);
    case OPERAND_FIB:
        return compare_fib(writer, operation, data, length);
    case OPERAND_NONE:
    case OPERAND_IMMEDIATE:
    case OPERAND_ROUTE:
    case OPERAND_MAP:
        break;
    }
    return false;
}
