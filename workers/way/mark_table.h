/*
 * Published ports go on working beside the project's address (HOST-5): replies to what came in by Docker's bridge go
 * back there.
 *
 *     table inet anchord_way {
 *         chain in {
 *             type filter hook prerouting priority mangle; policy accept;
 *             ct state new ether saddr != MAC ct mark set ct mark or 0x00400000
 *         }
 *         chain out {
 *             type route hook output priority mangle; policy accept;
 *             ct direction reply ct mark and 0x00400000 == 0x00400000 meta mark set meta mark or 0x00400000
 *         }
 *     }
 *
 * MAC is that of every inner end of the identity: what has another source came by somebody else. The rule 32763 sends
 * what is marked to main (routing_rules.h). One bit of either mark is ours, the others stay as they are.
 *
 * Used by served_namespace.c inside anchord-way with CAP_NET_ADMIN, under attach. The transaction is one of bytes that
 * were made before (mark_batch.c): no library that writes nftables is in this program.
 */
#pragma once

#include "common/address.h"
#include "workers/netlink/rtnetlink.h"

/* mark_batch.c */
#define MARK_RULES            2
#define MARK_BATCH_SIZE       1212
#define MARK_BATCH_MAC_OFFSET 644
#define MARK_BATCH_REMOVAL    56 /* where the message is that removes the table, which the one before it adds */
#define MARK_BATCH_ADDITION   92 /* where what is added after it begins */
#define MARK_BATCH_EDGE_SIZE  20 /* of the messages that begin and end the transaction */
extern const unsigned char mark_batch[MARK_BATCH_SIZE];

/* From now on the socket hears of each change of nftables, ours too. Returns 0 or a negative errno. */
int mark_table_listen(struct rtnetlink *netfilter) __attribute__((warn_unused_result));

/*
 * Puts the table there in one transaction, if it is not whole or `is_first`, which replaces a predecessor's. The socket
 * is one to a namespace's nfnetlink. Returns 1, 0 when there is nothing to do, or a negative errno.
 */
int mark_table_settle(struct rtnetlink *netfilter, const struct mac_address *mac, bool is_first)
    __attribute__((warn_unused_result));

/* Returns 0, also when it was not there, or a negative errno. */
int mark_table_remove(struct rtnetlink *netfilter) __attribute__((warn_unused_result));
