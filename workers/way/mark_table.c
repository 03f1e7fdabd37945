/* The marks of published ports; see mark_table.h. Runs in anchord-way with CAP_NET_ADMIN. */
#include "workers/way/mark_table.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define TABLE "anchord_way"

/* A request is begun also for what a batch says: it is what a failure is told of. */
static void begin(struct rtnetlink *netfilter, const char *operation)
{
    struct nfgenmsg *header =
        rtnetlink_begin(netfilter, operation, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0, sizeof(*header));

    header->nfgen_family = NFPROTO_INET;
    mnl_attr_put_strz(rtnetlink_message(netfilter), NFTA_TABLE_NAME, TABLE);
    rtnetlink_describe(netfilter, "table inet " TABLE);
}

int mark_table_listen(struct rtnetlink *netfilter)
{
    int group = NFNLGRP_NFTABLES;

    return mnl_socket_setsockopt(rtnetlink_socket(netfilter), NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0
               ? -errno
               : 0;
}

static void on_rule(const struct nlmsghdr *message, void *userdata)
{
    int *count = userdata;

    *count += message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE);
}

/* Returns 1 when none of its rules is missing, 0, or a negative errno. */
static int is_whole(struct rtnetlink *netfilter)
{
    int count = 0;
    int result;

    begin(netfilter, "list");
    rtnetlink_message(netfilter)->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE;
    result = rtnetlink_dump(netfilter, on_rule, &count);
    if (result == -EINTR)
        return 1; /* of what was changed meanwhile we hear */
    return result < 0 ? result : count == MARK_RULES;
}

int mark_table_settle(struct rtnetlink *netfilter, const struct mac_address *mac, bool is_first)
{
    _Alignas(8) unsigned char batch[MARK_BATCH_SIZE];
    int result = is_first ? 0 : is_whole(netfilter);

    if (result != 0)
        return result < 0 ? result : 0;
    memcpy(batch, mark_batch, sizeof(batch));
    memcpy(batch + MARK_BATCH_MAC_OFFSET, mac->bytes, sizeof(mac->bytes));
    begin(netfilter, "add");
    result = rtnetlink_ask_all(netfilter, batch, sizeof(batch));
    return result < 0 ? result : 1;
}

int mark_table_remove(struct rtnetlink *netfilter)
{
    _Alignas(8) unsigned char batch[MARK_BATCH_ADDITION + MARK_BATCH_EDGE_SIZE];

    memcpy(batch, mark_batch, MARK_BATCH_ADDITION);
    memcpy(batch + MARK_BATCH_ADDITION, mark_batch + MARK_BATCH_SIZE - MARK_BATCH_EDGE_SIZE, MARK_BATCH_EDGE_SIZE);
    ((struct nlmsghdr *)(batch + MARK_BATCH_REMOVAL))->nlmsg_flags |= NLM_F_ACK;
    begin(netfilter, "delete");
    return rtnetlink_ask_all(netfilter, batch, sizeof(batch));
}
