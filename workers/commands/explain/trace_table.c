/* The table that traces; see trace_table.h. Runs in anchord-explain with CAP_NET_ADMIN; builds and sends. */
#include "workers/commands/explain/trace_table.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TABLE "anchord_trace"
/* Before everything else that looks at packets, conntrack and raw tables included. */
#define PRIORITY (-600)
/* A flood is not followed whole: what one packet meets the next one does, too. */
#define PACKETS_A_SECOND UINT64_C(10)
#define PACKETS_AT_ONCE  5U
#define BATCH_SIZE       16384U
#define DESTINATION_PORT 2U /* where it stands in TCP's and UDP's header */

struct batch {
    uint8_t *bytes;
    size_t length;
    uint8_t family;
};

static struct nlmsghdr *begin(struct batch *batch, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(batch->bytes + batch->length);
    struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    bool is_mark = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;

    message->nlmsg_type = is_mark ? type : (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    header->nfgen_family = is_mark ? AF_UNSPEC : batch->family;
    header->version = NFNETLINK_V0;
    header->res_id = is_mark ? htons(NFNL_SUBSYS_NFTABLES) : 0;
    return message;
}

static void end(struct batch *batch, const struct nlmsghdr *message)
{
    batch->length += MNL_ALIGN(message->nlmsg_len);
}

/* --- expressions ----------------------------------------------------------------------------------------------- */

struct expression {
    struct nlmsghdr *message;
    struct nlattr *whole;
    struct nlattr *data;
};

static struct expression open_expression(struct nlmsghdr *message, const char *name)
{
    struct expression expression = {.message = message, .whole = mnl_attr_nest_start(message, NFTA_LIST_ELEM)};

    mnl_attr_put_strz(message, NFTA_EXPR_NAME, name);
    expression.data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
    return expression;
}

static void close_expression(const struct expression *expression)
{
    mnl_attr_nest_end(expression->message, expression->data);
    mnl_attr_nest_end(expression->message, expression->whole);
}

static void put_value(struct nlmsghdr *message, uint16_t type, const void *bytes, size_t length)
{
    struct nlattr *data = mnl_attr_nest_start(message, type);

    mnl_attr_put(message, NFTA_DATA_VALUE, length, bytes);
    mnl_attr_nest_end(message, data);
}

static void put_comparison(struct nlmsghdr *message, const void *bytes, size_t length)
{
    struct expression expression = open_expression(message, "cmp");

    mnl_attr_put_u32(message, NFTA_CMP_SREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message, NFTA_CMP_OP, htonl(NFT_CMP_EQ));
    put_value(message, NFTA_CMP_DATA, bytes, length);
    close_expression(&expression);
}

/* That these bytes stand in one of the packet's headers. */
static void put_match(struct nlmsghdr *message, uint32_t base, uint32_t offset, const void *bytes, size_t length)
{
    struct expression expression = open_expression(message, "payload");

    mnl_attr_put_u32(message, NFTA_PAYLOAD_DREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message, NFTA_PAYLOAD_BASE, htonl(base));
    mnl_attr_put_u32(message, NFTA_PAYLOAD_OFFSET, htonl(offset));
    mnl_attr_put_u32(message, NFTA_PAYLOAD_LEN, htonl((uint32_t)length));
    close_expression(&expression);
    put_comparison(message, bytes, length);
}

static void put_protocol(struct nlmsghdr *message, uint8_t protocol)
{
    struct expression expression = open_expression(message, "meta");

    mnl_attr_put_u32(message, NFTA_META_DREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message, NFTA_META_KEY, htonl(NFT_META_L4PROTO));
    close_expression(&expression);
    put_comparison(message, &protocol, sizeof(protocol));
}

static void put_limit(struct nlmsghdr *message)
{
    struct expression expression = open_expression(message, "limit");

    mnl_attr_put_u64(message, NFTA_LIMIT_RATE, htobe64(PACKETS_A_SECOND));
    mnl_attr_put_u64(message, NFTA_LIMIT_UNIT, htobe64(1));
    mnl_attr_put_u32(message, NFTA_LIMIT_BURST, htonl(PACKETS_AT_ONCE));
    mnl_attr_put_u32(message, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS));
    close_expression(&expression);
}

static void put_trace(struct nlmsghdr *message)
{
    const uint8_t on = 1;
    struct expression expression = open_expression(message, "immediate");

    mnl_attr_put_u32(message, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_1));
    put_value(message, NFTA_IMMEDIATE_DATA, &on, sizeof(on));
    close_expression(&expression);
    expression = open_expression(message, "meta");
    mnl_attr_put_u32(message, NFTA_META_KEY, htonl(NFT_META_NFTRACE));
    mnl_attr_put_u32(message, NFTA_META_SREG, htonl(NFT_REG_1));
    close_expression(&expression);
}

/* --- the table ------------------------------------------------------------------------------------------------- */

static void add_table(struct batch *batch, uint32_t flags)
{
    struct nlmsghdr *message = begin(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);

    mnl_attr_put_strz(message, NFTA_TABLE_NAME, TABLE);
    mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(flags));
    end(batch, message);
}

static void add_chain(struct batch *batch, const char *name, uint32_t hook)
{
    struct nlmsghdr *message = begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    struct nlattr *nest;

    mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, TABLE);
    mnl_attr_put_strz(message, NFTA_CHAIN_NAME, name);
    nest = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
    mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(hook));
    mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)PRIORITY));
    mnl_attr_nest_end(message, nest);
    mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, "filter");
    end(batch, message);
}

static void add_rule(struct batch *batch, const char *chain, const struct explain_request *request,
                     const struct wire_address *destination)
{
    struct nlmsghdr *message = begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    bool is_v6 = destination->family == IP_FAMILY_6;
    size_t length = ip_family_length(destination->family);
    uint16_t port = htons(request->port);
    struct nlattr *expressions;

    mnl_attr_put_strz(message, NFTA_RULE_TABLE, TABLE);
    mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain);
    expressions = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
    put_protocol(message, request->protocol);
    if (request->source.family != IP_FAMILY_NONE)
        put_match(message, NFT_PAYLOAD_NETWORK_HEADER, is_v6 ? 8 : 12, request->source.bytes, length);
    put_match(message, NFT_PAYLOAD_NETWORK_HEADER, is_v6 ? 24 : 16, destination->bytes, length);
    put_match(message, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT, &port, sizeof(port));
    put_limit(message);
    put_trace(message);
    mnl_attr_nest_end(message, expressions);
    end(batch, message);
}

static int commit(struct rtnetlink *filter, struct batch *batch, const struct explain_request *request, uint32_t flags)
{
    static const struct {
        const char *name;
        uint32_t hook;
    } chains[] = {{"prerouting", NF_INET_PRE_ROUTING}, {"output", NF_INET_LOCAL_OUT}};
    struct nlmsghdr *last;

    batch->length = 0;
    end(batch, begin(batch, NFNL_MSG_BATCH_BEGIN, 0));
    add_table(batch, flags);
    for (size_t i = 0; i < ARRAY_LENGTH(chains); i++) {
        add_chain(batch, chains[i].name, chains[i].hook);
        for (size_t j = 0; j < request->destination_count; j++)
            add_rule(batch, chains[i].name, request, &request->destinations[j]);
    }
    last = begin(batch, NFT_MSG_NEWTABLE, NLM_F_ACK); /* it is there: changes nothing, and is acknowledged */
    mnl_attr_put_strz(last, NFTA_TABLE_NAME, TABLE);
    mnl_attr_put_u32(last, NFTA_TABLE_FLAGS, htonl(flags));
    end(batch, last);
    end(batch, begin(batch, NFNL_MSG_BATCH_END, 0));
    return rtnetlink_ask_all(filter, batch->bytes, batch->length);
}

int trace_table_make(struct rtnetlink *filter, const struct explain_request *request)
{
    CLEANUP_FREE uint8_t *bytes = calloc(1, BATCH_SIZE + 512);
    struct batch batch = {.bytes = bytes};
    int result;

    if (!bytes)
        return -ENOMEM;
    batch.family = request->destinations[0].family == IP_FAMILY_6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    result = commit(filter, &batch, request, NFT_TABLE_F_OWNER);
    if (result != -EINVAL && result != -EOPNOTSUPP)
        return result;
    result = trace_table_sweep(filter); /* before 5.12 */
    if (result == 0)
        result = commit(filter, &batch, request, 0);
    return result < 0 ? result : 1;
}

int trace_table_sweep(struct rtnetlink *filter)
{
    static const uint8_t families[] = {NFPROTO_IPV4, NFPROTO_IPV6};
    int status = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        _Alignas(struct nlmsghdr) uint8_t bytes[512] = {0};
        struct batch batch = {.bytes = bytes, .family = families[i]};
        struct nlmsghdr *message;
        int result;

        end(&batch, begin(&batch, NFNL_MSG_BATCH_BEGIN, 0));
        message = begin(&batch, NFT_MSG_DELTABLE, NLM_F_ACK);
        mnl_attr_put_strz(message, NFTA_TABLE_NAME, TABLE);
        end(&batch, message);
        end(&batch, begin(&batch, NFNL_MSG_BATCH_END, 0));
        result = rtnetlink_ask_all(filter, bytes, batch.length);
        if (result < 0 && result != -ENOENT) /* mostly there is none */
            status = result;
    }
    return status;
}
