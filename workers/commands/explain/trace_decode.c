/* Traces as records; see trace_decode.h. Runs in anchord-explain without any privilege. */
#include "workers/commands/explain/trace_decode.h"

#include "common/array.h"
#include "common/text.h"
#include "workers/netlink/rtnetlink.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#define OUR_TABLES   "anchord_"
#define TRACE_TABLE  "anchord_trace"
#define COMMENT_TYPE 0 /* in a rule's user data: NFTNL_UDATA_RULE_COMMENT of libnftnl/udata.h */

static bool is_message(const struct nlmsghdr *message, uint16_t type)
{
    return message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | type) &&
           mnl_nlmsg_get_payload_len(message) >= sizeof(struct nfgenmsg);
}

static uint8_t family_of(const struct nlmsghdr *message)
{
    return ((const struct nfgenmsg *)mnl_nlmsg_get_payload(message))->nfgen_family;
}

/* What is no text becomes an empty one. */
static void copy_text(char *target, size_t size, const struct nlattr *attribute)
{
    target[0] = '\0';
    if (attribute && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
        text_copy_cut(target, size, mnl_attr_get_str(attribute));
}

static uint64_t number_of(const struct nlattr *attribute)
{
    return attribute && mnl_attr_validate(attribute, MNL_TYPE_U64) == 0 ? be64toh(mnl_attr_get_u64(attribute)) : 0;
}

/* --- names ----------------------------------------------------------------------------------------------------- */

void trace_names_clear(struct trace_names *names)
{
    free(names->rules);
    *names = (struct trace_names){0};
}

/* Type, length and value in a row, a byte each of the first two. */
static void read_comment(const struct nlattr *attribute, char ret[EXPLAIN_COMMENT_SIZE])
{
    const uint8_t *bytes = mnl_attr_get_payload(attribute);
    size_t rest = mnl_attr_get_payload_len(attribute);

    while (rest >= 2 && rest - 2 >= bytes[1]) {
        if (bytes[0] == COMMENT_TYPE && memchr(bytes + 2, '\0', bytes[1])) {
            text_copy_cut(ret, EXPLAIN_COMMENT_SIZE, (const char *)bytes + 2);
            return;
        }
        rest -= 2U + bytes[1];
        bytes += 2U + bytes[1];
    }
}

static bool has_rejection(const struct nlattr *expressions)
{
    const struct nlattr *element = mnl_attr_get_payload(expressions);

    for (int rest = mnl_attr_get_payload_len(expressions); mnl_attr_ok(element, rest);
         element = mnl_attr_next(element)) {
        const struct nlattr *parts[NFTA_EXPR_MAX + 1];

        rtnetlink_nested_attributes(element, parts, NFTA_EXPR_MAX);
        if (parts[NFTA_EXPR_NAME] && mnl_attr_validate(parts[NFTA_EXPR_NAME], MNL_TYPE_NUL_STRING) == 0 &&
            strcmp(mnl_attr_get_str(parts[NFTA_EXPR_NAME]), "reject") == 0)
            return true;
        rest -= (int)MNL_ALIGN(element->nla_len);
    }
    return false;
}

int trace_names_take(struct trace_names *names, const struct nlmsghdr *message)
{
    const struct nlattr *attributes[NFTA_RULE_MAX + 1];
    struct trace_rule rule = {0};
    struct trace_rule *grown;

    if (!is_message(message, NFT_MSG_NEWRULE) || names->count == TRACE_RULES_MAX)
        return 0;
    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, NFTA_RULE_MAX);
    rule.family = family_of(message);
    rule.handle = number_of(attributes[NFTA_RULE_HANDLE]);
    copy_text(rule.table, sizeof(rule.table), attributes[NFTA_RULE_TABLE]);
    copy_text(rule.chain, sizeof(rule.chain), attributes[NFTA_RULE_CHAIN]);
    if (attributes[NFTA_RULE_USERDATA])
        read_comment(attributes[NFTA_RULE_USERDATA], rule.comment);
    rule.rejects = attributes[NFTA_RULE_EXPRESSIONS] && has_rejection(attributes[NFTA_RULE_EXPRESSIONS]);
    grown = array_grow(names->rules, names->count, &names->capacity, sizeof(rule));
    if (!grown)
        return -ENOMEM;
    names->rules = grown;
    names->rules[names->count++] = rule;
    return 0;
}

static const struct trace_rule *find_rule(const struct trace_names *names, uint8_t family,
                                          const struct explain_trace *trace)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct trace_rule *rule = &names->rules[i];

        if (rule->handle == trace->handle && rule->family == family && strcmp(rule->table, trace->table) == 0 &&
            strcmp(rule->chain, trace->chain) == 0)
            return rule;
    }
    return NULL;
}

/* --- traces ---------------------------------------------------------------------------------------------------- */

static const char *family_name(uint8_t family)
{
    switch (family) {
    case NFPROTO_IPV4:
        return "ip";
    case NFPROTO_IPV6:
        return "ip6";
    case NFPROTO_INET:
        return "inet";
    case NFPROTO_NETDEV:
        return "netdev";
    case NFPROTO_BRIDGE:
        return "bridge";
    case NFPROTO_ARP:
        return "arp";
    default:
        return "other";
    }
}

/* NULL: it is not followed, or there were too many before it. */
static const struct trace_packet *find_packet(const struct trace_names *names, uint32_t id)
{
    for (size_t i = 0; i < names->packet_count; i++) {
        if (names->packets[i].id == id)
            return &names->packets[i];
    }
    return NULL;
}

/* A packet to which a rule of the table that traces applies, which marks it: it is followed from here on. What somebody
 * else has marked before passes that table, too, and is told of its end alone. */
static void note_packet(struct trace_names *names, uint32_t id, const struct explain_trace *marked)
{
    if (names->packet_count < TRACE_PACKETS_MAX && !find_packet(names, id))
        names->packets[names->packet_count++] = (struct trace_packet){
            .id = id, .source = marked->source, .destination = marked->destination, .port = marked->port};
}

static enum explain_verdict verdict_of(uint32_t code)
{
    int verdict = (int)code;

    return verdict == NFT_JUMP || verdict == NFT_GOTO ? EXPLAIN_JUMPED
           : verdict < 0                              ? EXPLAIN_GOES_ON
           : (verdict & NF_VERDICT_MASK) == NF_DROP   ? EXPLAIN_DROPPED
                                                      : EXPLAIN_ACCEPTED;
}

static void read_verdict(const struct nlattr *nest, struct explain_trace *trace)
{
    const struct nlattr *parts[NFTA_VERDICT_MAX + 1];

    rtnetlink_nested_attributes(nest, parts, NFTA_VERDICT_MAX);
    trace->verdict =
        (uint32_t)verdict_of(ntohl(rtnetlink_get_u32(parts[NFTA_VERDICT_CODE], htonl((uint32_t)NFT_CONTINUE))));
}

static void read_headers(const struct nlattr *network, const struct nlattr *transport, struct explain_trace *trace)
{
    const uint8_t *bytes = network ? mnl_attr_get_payload(network) : NULL;
    size_t length = network ? mnl_attr_get_payload_len(network) : 0;
    bool is_v6 = length >= 40 && bytes[0] >> 4 == 6;
    uint8_t family = is_v6 ? IP_FAMILY_6 : IP_FAMILY_4;
    struct ip_address source, destination;

    if (!is_v6 && (length < 20 || bytes[0] >> 4 != 4))
        return;
    source = ip_address_from_bytes(family, bytes + (is_v6 ? 8 : 12));
    destination = ip_address_from_bytes(family, bytes + (is_v6 ? 24 : 16));
    trace->source = wire_address_from(&source);
    trace->destination = wire_address_from(&destination);
    if (transport && mnl_attr_get_payload_len(transport) >= sizeof(trace->port)) {
        memcpy(&trace->port, mnl_attr_get_payload(transport), sizeof(trace->port));
        trace->port = ntohs(trace->port);
    }
}

/* The end of a chain is told as a rule without a handle, too. */
static enum explain_trace_kind kind_of(const struct nlattr *type, uint64_t handle)
{
    switch (ntohl(rtnetlink_get_u32(type, 0))) {
    case NFT_TRACETYPE_RULE:
        return handle > 0 ? EXPLAIN_TRACE_RULE : EXPLAIN_TRACE_RETURN;
    case NFT_TRACETYPE_POLICY:
        return EXPLAIN_TRACE_POLICY;
    default:
        return EXPLAIN_TRACE_RETURN;
    }
}

bool trace_decode(struct trace_names *names, const struct nlmsghdr *message, struct explain_trace *ret)
{
    const struct nlattr *attributes[NFTA_TRACE_MAX + 1];
    const struct trace_packet *packet;
    const struct trace_rule *rule;
    uint32_t id;

    *ret = (struct explain_trace){0};
    if (!is_message(message, NFT_MSG_TRACE))
        return false;
    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, NFTA_TRACE_MAX);
    copy_text(ret->table, sizeof(ret->table), attributes[NFTA_TRACE_TABLE]);
    copy_text(ret->chain, sizeof(ret->chain), attributes[NFTA_TRACE_CHAIN]);
    ret->handle = number_of(attributes[NFTA_TRACE_RULE_HANDLE]);
    ret->kind = kind_of(attributes[NFTA_TRACE_TYPE], ret->handle);
    id = rtnetlink_get_u32(attributes[NFTA_TRACE_ID], 0);
    if (strcmp(ret->table, TRACE_TABLE) == 0) {
        read_headers(attributes[NFTA_TRACE_NETWORK_HEADER], attributes[NFTA_TRACE_TRANSPORT_HEADER], ret);
        if (ret->kind == EXPLAIN_TRACE_RULE && family_of(message) == names->family)
            note_packet(names, id, ret);
        return false;
    }
    packet = find_packet(names, id);
    if (!packet)
        return false;
    ret->packet = (uint32_t)(packet - names->packets);
    ret->source = packet->source;
    ret->destination = packet->destination;
    ret->port = packet->port;
    text_copy_cut(ret->family, sizeof(ret->family), family_name(family_of(message)));
    ret->is_ours = strncmp(ret->table, OUR_TABLES, strlen(OUR_TABLES)) == 0;
    if (ret->kind == EXPLAIN_TRACE_POLICY)
        ret->verdict = (uint32_t)verdict_of(ntohl(rtnetlink_get_u32(attributes[NFTA_TRACE_POLICY], htonl(NF_ACCEPT))));
    else
        read_verdict(attributes[NFTA_TRACE_VERDICT], ret);
    rule = find_rule(names, family_of(message), ret);
    if (rule) {
        ret->rejects = rule->rejects;
        text_copy_cut(ret->comment, sizeof(ret->comment), rule->comment);
    }
    return true;
}
