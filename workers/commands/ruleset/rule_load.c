/* Values that a rule loads and changes, and words for fields; see rule_writer.h. Runs in anchord-ruleset, pure. */
#include "workers/commands/ruleset/rule_text.h"
#include "workers/commands/ruleset/rule_writer.h"
#include "workers/commands/ruleset/symbols.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rule_put_raw(struct rule_writer *writer, const char *format, ...)
{
    size_t room = RULE_TEXT_SIZE - writer->length;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(writer->text + writer->length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        writer->is_cut = true;
    else
        writer->length += (size_t)length;
}

const char *rule_separator(const struct rule_writer *writer)
{
    return writer->length > 0 ? " " : "";
}

/* A match that nothing implied stands for itself. */
void rule_write_protocol(struct rule_writer *writer)
{
    const char *name = symbol_protocol(writer->protocol);

    if (writer->protocol && name)
        rule_put_raw(writer, "%smeta l4proto %s", rule_separator(writer), name);
    else if (writer->protocol)
        rule_put_raw(writer, "%smeta l4proto %u", rule_separator(writer), writer->protocol);
    writer->protocol = 0;
}

const char *rule_family_name(const struct rule_writer *writer)
{
    return writer->nfproto == NFPROTO_IPV4 ? "ip" : "ip6";
}

uint32_t rule_address_length(const struct rule_writer *writer)
{
    return writer->nfproto == NFPROTO_IPV4 ? ADDRESS4_BYTES : ADDRESS6_BYTES;
}

/* "ip daddr", or NULL. RFC 791 §3.1, RFC 8200 §3. */
const char *rule_network_field(const struct rule_writer *writer, uint32_t offset)
{
    bool is_v4 = writer->nfproto == NFPROTO_IPV4;

    if (offset == (is_v4 ? 12 : 8))
        return is_v4 ? "ip saddr" : "ip6 saddr";
    if (offset == (is_v4 ? 16 : 24))
        return is_v4 ? "ip daddr" : "ip6 daddr";
    return NULL;
}

bool rule_is_time_to_live(const struct rule_writer *writer, uint32_t offset)
{
    return offset == (writer->nfproto == NFPROTO_IPV4 ? 8 : 7);
}

const char *rule_time_to_live_field(const struct rule_writer *writer)
{
    return writer->nfproto == NFPROTO_IPV4 ? "ip ttl" : "ip6 hoplimit";
}

bool rule_uses_register_1(const struct nftnl_expr *expression, uint16_t attribute)
{
    return nftnl_expr_get_u32(expression, attribute) == NFT_REG_1;
}

/* --- loads --------------------------------------------------------------------------------------------- */

bool rule_load_meta(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    writer->operand.kind = OPERAND_META;
    writer->operand.key = nftnl_expr_get_u32(expression, NFTNL_EXPR_META_KEY);
    return !nftnl_expr_is_set(expression, NFTNL_EXPR_META_SREG) &&
           rule_uses_register_1(expression, NFTNL_EXPR_META_DREG);
}

/* ip ttl set 64: with the protocol in the same 16 bits, (old & 00ff) ^ 4000; ip6 hoplimit set 64: an immediate */
static bool write_store(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const struct operand *operand = &writer->operand;
    uint32_t length = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_LEN);
    bool is_ours = rule_uses_register_1(expression, NFTNL_EXPR_PAYLOAD_SREG) &&
                   nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_BASE) == NFT_PAYLOAD_NETWORK_HEADER &&
                   rule_is_time_to_live(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET));

    if (!is_ours)
        return false;
    if (writer->nfproto == NFPROTO_IPV6 && operand->kind == OPERAND_IMMEDIATE && length == 1) {
        PUT(writer, "%s set %u", rule_time_to_live_field(writer), operand->value[0]);
        return true;
    }
    if (writer->nfproto != NFPROTO_IPV4 || operand->kind != OPERAND_PAYLOAD || !operand->is_masked || length != 2 ||
        !rule_is_time_to_live(writer, operand->offset) || operand->mask[0] != 0 || operand->mask[1] != 0xff ||
        operand->change[1] != 0)
        return false;
    PUT(writer, "%s set %u", rule_time_to_live_field(writer), operand->change[0]);
    return true;
}

bool rule_load_payload(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    if (nftnl_expr_is_set(expression, NFTNL_EXPR_PAYLOAD_SREG))
        return write_store(writer, expression);
    writer->operand.kind = OPERAND_PAYLOAD;
    writer->operand.key = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_BASE);
    writer->operand.offset = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET);
    writer->operand.length = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_LEN);
    return rule_uses_register_1(expression, NFTNL_EXPR_PAYLOAD_DREG);
}

/* ct mark set ct mark | 0x00400000: (old & ffbfffff) ^ 00400000 */
static bool write_mark(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const struct operand *operand = &writer->operand;
    uint32_t mask, change;

    memcpy(&mask, operand->mask, sizeof(mask));
    memcpy(&change, operand->change, sizeof(change));
    if (operand->kind != OPERAND_CT || operand->key != NFT_CT_MARK || !operand->is_masked || mask != ~change ||
        nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_KEY) != NFT_CT_MARK ||
        !rule_uses_register_1(expression, NFTNL_EXPR_CT_SREG))
        return false;
    PUT(writer, "ct mark set ct mark | 0x%08x", change);
    return true;
}

bool rule_load_ct(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    if (nftnl_expr_is_set(expression, NFTNL_EXPR_CT_SREG))
        return write_mark(writer, expression);
    writer->operand.kind = OPERAND_CT;
    writer->operand.key = nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_KEY);
    if (nftnl_expr_is_set(expression, NFTNL_EXPR_CT_DIR))
        writer->operand.direction = nftnl_expr_get_u8(expression, NFTNL_EXPR_CT_DIR);
    return rule_uses_register_1(expression, NFTNL_EXPR_CT_DREG);
}

bool rule_load_fib(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    writer->operand.kind = OPERAND_FIB;
    writer->operand.key = nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_FLAGS);
    return nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_RESULT) ==
               (writer->operand.key & NFTA_FIB_F_PRESENT ? NFT_FIB_RESULT_OIF : NFT_FIB_RESULT_ADDRTYPE) &&
           rule_uses_register_1(expression, NFTNL_EXPR_FIB_DREG);
}

bool rule_load_route(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    writer->operand.kind = OPERAND_ROUTE;
    writer->operand.key = nftnl_expr_get_u32(expression, NFTNL_EXPR_RT_KEY);
    return rule_uses_register_1(expression, NFTNL_EXPR_RT_DREG);
}

/* The kernel counts in its own byte order; nft does not show how a number becomes that of the packet. */
bool rule_swap_bytes(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    return writer->operand.kind == OPERAND_ROUTE &&
           nftnl_expr_get_u32(expression, NFTNL_EXPR_BYTEORDER_OP) == NFT_BYTEORDER_HTON &&
           nftnl_expr_get_u32(expression, NFTNL_EXPR_BYTEORDER_SIZE) == sizeof(uint16_t) &&
           rule_uses_register_1(expression, NFTNL_EXPR_BYTEORDER_SREG) &&
           rule_uses_register_1(expression, NFTNL_EXPR_BYTEORDER_DREG);
}

bool rule_change_bits(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    struct operand *operand = &writer->operand;
    uint32_t mask_length = 0;
    uint32_t change_length = 0;
    const void *mask = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_MASK, &mask_length);
    const void *change = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_XOR, &change_length);
    uint32_t whole_length = operand->kind == OPERAND_PAYLOAD ? operand->length : (uint32_t)sizeof(uint32_t);

    if (operand->is_masked || !mask || !change || mask_length > sizeof(operand->mask) || mask_length != whole_length ||
        change_length != mask_length || !rule_uses_register_1(expression, NFTNL_EXPR_BITWISE_SREG) ||
        !rule_uses_register_1(expression, NFTNL_EXPR_BITWISE_DREG))
        return false;
    operand->is_masked = true;
    memcpy(operand->mask, mask, mask_length);
    memcpy(operand->change, change, change_length);
    return true;
}

static bool write_verdict(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const char *chain = nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN);

    switch ((int)nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT)) {
    case NF_ACCEPT:
        PUT(writer, "accept");
        return true;
    case NF_DROP:
        PUT(writer, "drop");
        return true;
    case NFT_RETURN:
        PUT(writer, "return");
        return true;
    case NFT_JUMP:
        PUT(writer, "jump %s", chain ? chain : "?");
        return chain != NULL;
    case NFT_GOTO:
        PUT(writer, "goto %s", chain ? chain : "?");
        return chain != NULL;
    default:
        return false;
    }
}

bool rule_load_immediate(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    uint32_t length = 0;
    const void *data;

    if (nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_DREG) == NFT_REG_VERDICT)
        return write_verdict(writer, expression);
    data = nftnl_expr_get(expression, NFTNL_EXPR_IMM_DATA, &length);
    if (!data || length > sizeof(writer->operand.value) || !rule_uses_register_1(expression, NFTNL_EXPR_IMM_DREG))
        return false;
    writer->operand.kind = OPERAND_IMMEDIATE;
    writer->operand.length = length;
    memcpy(writer->operand.value, data, length);
    return true;
}
