/* What a firewall drops; see walls.h. Runs in anchord-probe as root. */
#include "workers/commands/probe/walls.h"

#include "common/text.h"
#include "protocol/probe_records.h"
#include "workers/netlink/rtnetlink.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Of them people read some; no more than that is told. */
#define WALLS_MAX 32
#define OUR_TABLE "anchord_"

struct walls {
    int channel;
    struct probe_wall told[WALLS_MAX];
    size_t count;
};

struct rule_look {
    bool asks_reverse_path;
    bool drops;
};

static const char *family_name(uint8_t family)
{
    switch (family) {
    case NFPROTO_IPV4:
        return "ip";
    case NFPROTO_IPV6:
        return "ip6";
    case NFPROTO_INET:
        return "inet";
    case NFPROTO_BRIDGE:
        return "bridge";
    default:
        return "netdev";
    }
}

static bool is_told(const struct walls *walls, const struct probe_wall *wall)
{
    for (size_t i = 0; i < walls->count; i++) {
        if (memcmp(&walls->told[i], wall, sizeof(*wall)) == 0)
            return true;
    }
    return false;
}

static void tell(struct walls *walls, enum probe_wall_kind kind, uint8_t family, const struct nlattr *table,
                 const struct nlattr *chain)
{
    struct probe_wall wall = {.kind = kind};

    if (!table || !chain || strncmp(mnl_attr_get_str(table), OUR_TABLE, strlen(OUR_TABLE)) == 0)
        return;
    text_copy_cut(wall.family, sizeof(wall.family), family_name(family));
    text_copy_cut(wall.table, sizeof(wall.table), mnl_attr_get_str(table));
    text_copy_cut(wall.chain, sizeof(wall.chain), mnl_attr_get_str(chain));
    if (walls->count == WALLS_MAX || is_told(walls, &wall))
        return;
    walls->told[walls->count++] = wall;
    (void)send(walls->channel, &wall, sizeof(wall), MSG_NOSIGNAL);
}

/* The kernel's big-endian numbers. */
static uint32_t number_of(const struct nlattr *attribute, uint32_t otherwise)
{
    return attribute && mnl_attr_get_payload_len(attribute) == sizeof(uint32_t) ? be32toh(mnl_attr_get_u32(attribute))
                                                                                : otherwise;
}

static void on_chain(const struct nlmsghdr *message, void *userdata)
{
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[NFTA_CHAIN_MAX + 1];

    rtnetlink_attributes(message, sizeof(*header), attributes, NFTA_CHAIN_MAX);
    if (attributes[NFTA_CHAIN_HOOK] && number_of(attributes[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP)
        tell(userdata, PROBE_WALL_POLICY, header->nfgen_family, attributes[NFTA_CHAIN_TABLE],
             attributes[NFTA_CHAIN_NAME]);
}

static bool is_drop(const struct nlattr *data)
{
    const struct nlattr *immediate[NFTA_IMMEDIATE_MAX + 1];
    const struct nlattr *value[NFTA_DATA_MAX + 1];
    const struct nlattr *verdict[NFTA_VERDICT_MAX + 1];

    rtnetlink_nested_attributes(data, immediate, NFTA_IMMEDIATE_MAX);
    rtnetlink_nested_attributes(immediate[NFTA_IMMEDIATE_DATA], value, NFTA_DATA_MAX);
    rtnetlink_nested_attributes(value[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_MAX);
    return number_of(verdict[NFTA_VERDICT_CODE], NF_ACCEPT) == NF_DROP;
}

static void look_at_expression(const struct nlattr *element, struct rule_look *look)
{
    const struct nlattr *expression[NFTA_EXPR_MAX + 1];
    const struct nlattr *fib[NFTA_FIB_MAX + 1];
    const struct nlattr *match[NFTA_MATCH_MAX + 1];
    const char *name;

    rtnetlink_nested_attributes(element, expression, NFTA_EXPR_MAX);
    if (!expression[NFTA_EXPR_NAME])
        return;
    name = mnl_attr_get_str(expression[NFTA_EXPR_NAME]);
    if (strcmp(name, "immediate") == 0) {
        look->drops = look->drops || is_drop(expression[NFTA_EXPR_DATA]);
    } else if (strcmp(name, "fib") == 0) {
        rtnetlink_nested_attributes(expression[NFTA_EXPR_DATA], fib, NFTA_FIB_MAX);
        look->asks_reverse_path = look->asks_reverse_path || (number_of(fib[NFTA_FIB_FLAGS], 0) & NFTA_FIB_F_SADDR);
    } else if (strcmp(name, "match") == 0) {
        rtnetlink_nested_attributes(expression[NFTA_EXPR_DATA], match, NFTA_MATCH_MAX);
        look->asks_reverse_path =
            look->asks_reverse_path ||
            (match[NFTA_MATCH_NAME] && strcmp(mnl_attr_get_str(match[NFTA_MATCH_NAME]), "rpfilter") == 0);
    }
}

static void on_rule(const struct nlmsghdr *message, void *userdata)
{
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[NFTA_RULE_MAX + 1];
    const struct nlattr *element;
    struct rule_look look = {0};

    rtnetlink_attributes(message, sizeof(*header), attributes, NFTA_RULE_MAX);
    if (!attributes[NFTA_RULE_EXPRESSIONS])
        return;
    element = mnl_attr_get_payload(attributes[NFTA_RULE_EXPRESSIONS]);
    for (int rest = mnl_attr_get_payload_len(attributes[NFTA_RULE_EXPRESSIONS]); mnl_attr_ok(element, rest);
         element = mnl_attr_next(element)) {
        look_at_expression(element, &look);
        rest -= (int)MNL_ALIGN(element->nla_len);
    }
    if (look.drops && look.asks_reverse_path && header->nfgen_family != NFPROTO_IPV4)
        tell(userdata, PROBE_WALL_REVERSE_PATH, header->nfgen_family, attributes[NFTA_RULE_TABLE],
             attributes[NFTA_RULE_CHAIN]);
    else if (look.drops)
        tell(userdata, PROBE_WALL_RULE, header->nfgen_family, attributes[NFTA_RULE_TABLE], attributes[NFTA_RULE_CHAIN]);
}

static int dump(struct rtnetlink *netlink, uint16_t type, rtnetlink_handler handler, struct walls *walls)
{
    struct nfgenmsg *header =
        rtnetlink_begin(netlink, "list", (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), 0, sizeof(*header));

    header->nfgen_family = NFPROTO_UNSPEC;
    header->version = NFNETLINK_V0;
    return rtnetlink_dump(netlink, handler, walls);
}

int walls_tell(int channel)
{
    const struct probe_wall end = {.kind = PROBE_WALL_END};
    struct mnl_socket *opened = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    CLEANUP(rtnetlink_freep) struct rtnetlink *netlink = NULL;
    CLEANUP_FREE struct walls *walls = calloc(1, sizeof(*walls));
    int result = opened && walls ? rtnetlink_adopt(opened, &netlink) : -errno;

    if (result < 0 || !walls)
        return result;
    walls->channel = channel;
    result = dump(netlink, NFT_MSG_GETCHAIN, on_chain, walls);
    if (result == 0)
        result = dump(netlink, NFT_MSG_GETRULE, on_rule, walls);
    if (result == 0 && send(channel, &end, sizeof(end), MSG_NOSIGNAL) < 0)
        result = -errno;
    return result;
}
