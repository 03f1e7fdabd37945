/* What a rule looks up and does; see rule_writer.h. Runs in anchord-ruleset, pure. */
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

/* ct original ip daddr @external; ct original proto-dst @traffic_tcp; ip daddr @external;
 * ip6 saddr & ffff:ffff:ffff:ffff:: == @banned */
static bool write_set_lookup(struct rule_writer *writer, const char *set)
{
    const struct operand *operand = &writer->operand;
    const char *field = rule_network_field(writer, operand->offset);

    if (operand->kind == OPERAND_CT && operand->direction >= 0 && !operand->is_masked &&
        (operand->key == NFT_CT_DST_IP || operand->key == NFT_CT_DST_IP6)) {
        PUT(writer, "ct %s %s daddr @%s", operand->direction == IP_CT_DIR_REPLY ? "reply" : "original",
            rule_family_name(writer), set);
        return true;
    }
    if (operand->kind == OPERAND_CT && operand->key == NFT_CT_PROTO_DST && operand->direction == IP_CT_DIR_ORIGINAL &&
        !operand->is_masked) {
        PUT(writer, "ct original proto-dst @%s", set);
        return true;
    }
    if (operand->kind != OPERAND_PAYLOAD || operand->key != NFT_PAYLOAD_NETWORK_HEADER || !field ||
        operand->length != rule_address_length(writer))
        return false;
    if (operand->is_masked) {
        struct ip_address mask =
            ip_address_from_bytes(writer->nfproto == NFPROTO_IPV4 ? IP_FAMILY_4 : IP_FAMILY_6, operand->mask);

        PUT(writer, "%s & %s == @%s", field, IP_ADDRESS_TEXT(&mask), set);
        return true;
    }
    PUT(writer, "%s @%s", field, set);
    return true;
}

bool rule_write_lookup(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const char *set = nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET);
    struct operand *operand = &writer->operand;
    const char *protocol = symbol_protocol(writer->protocol);

    /* Sets whose names begin so have none: they stand in the rule that made them. */
    if (!set || strncmp(set, "__", 2) == 0 || rule_turns_bits_over(operand) ||
        nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS) != 0 ||
        !rule_uses_register_1(expression, NFTNL_EXPR_LOOKUP_SREG))
        return false;
    if (!nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_DREG))
        return write_set_lookup(writer, set);
    if (!rule_uses_register_1(expression, NFTNL_EXPR_LOOKUP_DREG) || operand->kind != OPERAND_PAYLOAD || !protocol ||
        operand->is_masked || operand->key != NFT_PAYLOAD_TRANSPORT_HEADER || operand->offset != 2 ||
        operand->length != 2)
        return false;
    *operand = (struct operand){.kind = OPERAND_MAP};
    (void)snprintf(operand->word, sizeof(operand->word), "%s dport map @%.100s", protocol, set);
    writer->protocol = 0;
    return true;
}

/* counter name "refused_closed" */
bool rule_write_object(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_OBJREF_IMM_NAME);

    if (!name || nftnl_expr_get_u32(expression, NFTNL_EXPR_OBJREF_IMM_TYPE) != NFT_OBJECT_COUNTER)
        return false;
    PUT(writer, "counter name \"%s\"", name);
    return true;
}

bool rule_write_nat(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    bool has_port = nftnl_expr_is_set(expression, NFTNL_EXPR_NAT_REG_PROTO_MIN);
    bool is_destination = nftnl_expr_get_u32(expression, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT;
    const struct operand *operand = &writer->operand;
    struct ip_address address;
    char text[IP_ADDRESS_TEXT_SIZE];

    /* nft leaves FLAGS away, the kernel says NF_NAT_RANGE_MAP_IPS (1) and, with a port, PROTO_SPECIFIED (2) */
    if (!rule_uses_register_1(expression, NFTNL_EXPR_NAT_REG_ADDR_MIN) ||
        nftnl_expr_get_u32(expression, NFTNL_EXPR_NAT_FLAGS) & ~UINT32_C(3))
        return false;
    if (operand->kind == OPERAND_MAP && has_port) {
        PUT(writer, "%s %s to %s", is_destination ? "dnat" : "snat", rule_family_name(writer), operand->word);
        return true;
    }
    if (operand->kind != OPERAND_IMMEDIATE || has_port || operand->length != rule_address_length(writer))
        return false;
    address = ip_address_from_bytes(writer->nfproto == NFPROTO_IPV4 ? IP_FAMILY_4 : IP_FAMILY_6, operand->value);
    PUT(writer, "%s to %s", is_destination ? "dnat" : "snat", ip_address_format(&address, text));
    return true;
}

bool rule_write_masquerade(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    if (nftnl_expr_get_u32(expression, NFTNL_EXPR_MASQ_FLAGS) != 0 ||
        nftnl_expr_is_set(expression, NFTNL_EXPR_MASQ_REG_PROTO_MIN))
        return false;
    PUT(writer, "masquerade");
    return true;
}

bool rule_write_reject(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const char *with = symbol_reject(writer->nfproto, nftnl_expr_get_u8(expression, NFTNL_EXPR_REJECT_CODE));

    if (nftnl_expr_get_u32(expression, NFTNL_EXPR_REJECT_TYPE) == NFT_REJECT_TCP_RST) {
        if (writer->protocol == IPPROTO_TCP)
            writer->protocol = 0; /* a reset says it */
        PUT(writer, "reject with tcp reset");
        return true;
    }
    if (nftnl_expr_get_u32(expression, NFTNL_EXPR_REJECT_TYPE) != NFT_REJECT_ICMP_UNREACH || !with)
        return false;
    PUT(writer, "reject%s", with);
    return true;
}

/* tcp option maxseg size set rt mtu */
bool rule_write_option(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    if (writer->operand.kind != OPERAND_ROUTE || writer->operand.key != NFT_RT_TCPMSS ||
        !nftnl_expr_is_set(expression, NFTNL_EXPR_EXTHDR_SREG) ||
        !rule_uses_register_1(expression, NFTNL_EXPR_EXTHDR_SREG) ||
        nftnl_expr_get_u32(expression, NFTNL_EXPR_EXTHDR_OP) != NFT_EXTHDR_OP_TCPOPT ||
        nftnl_expr_get_u8(expression, NFTNL_EXPR_EXTHDR_TYPE) != TCPOPT_MAXSEG ||
        nftnl_expr_get_u32(expression, NFTNL_EXPR_EXTHDR_OFFSET) != 2 ||
        nftnl_expr_get_u32(expression, NFTNL_EXPR_EXTHDR_LEN) != 2)
        return false;
    PUT(writer, "tcp option maxseg size set rt mtu");
    return true;
}
