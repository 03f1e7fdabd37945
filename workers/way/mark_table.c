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

int mark_table_settle(struct rtnetlink *netfilter, const struct mac_address *mac, bool is_first)
{
    _Alignas(8) unsigned char batch[MARK_BATCH_SIZE];
    int result = -ENOENT;

    if (!is_first) {
        begin(netfilter, "look for");
        result = rtnetlink_execute(netfilter);
    }
    if (result != -ENOENT)
        return result;
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
