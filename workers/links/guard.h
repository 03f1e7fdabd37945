/*
 * Closed from birth (HOST-6): no container of the project leaves with the host's address, also while anchord is down.
 *
 *     table inet anchord_host_0123abcd {
 *         set bridges  { type ifname; }              of all networks on which the identity has a link
 *         set owned    { type ifname; }              those of them that are the project's own
 *         set guarded4 { type ifname . ipv4_addr; }  its containers on the other ones
 *         set guarded6 { type ifname . ipv6_addr; }
 *         chain forward {
 *             type filter hook forward priority filter - 1; policy accept;
 *             oifname @bridges accept                containers among themselves, and the identity (br_netfilter)
 *             ct status dnat accept                  published ports, also those of others
 *             ct direction reply accept
 *             iifname @owned drop                    what begins inside, and what belongs to no connection
 *             iifname . ip saddr @guarded4 drop
 *             iifname . ip6 saddr @guarded6 drop
 *         }
 *     }
 *
 * Called by identity_links.c and links.c in anchord-links with CAP_NET_ADMIN. One transaction replaces the table: no
 * packet comes between. It stays when the process ends, and a successor leaves it alone until the watcher has told.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/links/guard_batch.h"
#include "workers/netlink/rtnetlink.h"

/* Beside what is constant: four headers of lists, and each element with its attributes. */
#define GUARD_SENT_MAX (GUARD_BATCH_SIZE + 4 * 128 + 2 * 28 * BRIDGES_MAX + 44 * GUARDED_MAX)

struct guard {
    struct rtnetlink *netfilter;
    struct message_guarded guarded; /* counts with the bridges of its generation */
    size_t sent_size;               /* 0: nothing yet */
    unsigned char sent[GUARD_SENT_MAX];
    int said; /* the error that was last logged, or 0 */
};

/* Returns 0 or a negative errno. */
int guard_open(struct guard *guard) __attribute__((warn_unused_result));

/* Puts the table there if it is not, or is to be another one. `allowed`: a bit for each item of `bridges` that may be
 * in it, by its number. */
void guard_apply(struct guard *guard, uint32_t tag, const struct message_bridges *bridges, uint64_t allowed);

/* Returns 0, also when it was not there, or a negative errno (logged). */
int guard_remove(struct guard *guard, uint32_t tag);
