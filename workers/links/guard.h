/*
 * Two tables of one name. Closed from birth (HOST-6): no container of the project leaves with the host's address, also
 * while anchord is down. And nobody comes to the project as if he were the host (HOST-7): where the host forwards,
 * whoever sends it a packet with its own address as the source comes by the link between the two; a kernel drops that
 * by itself in IPv4 alone. Nor does the LAN come as what the host alone routes.
 *
 *     table inet anchord_host_0123abcd {
 *         set parent   { type ifname; }
 *         set bridges  { type ifname; }              of all networks on which the identity has a link
 *         set owned    { type ifname; }              those of them that are the project's own
 *         set guarded4 { type ifname . ipv4_addr; }  its containers on the other ones
 *         set guarded6 { type ifname . ipv6_addr; }
 *         chain forward {
 *             type filter hook forward priority filter - 1; policy accept;
 *             oifname "anc0123abcdh" fib saddr type local drop
 *             oifname @bridges accept                containers among themselves, and the identity (br_netfilter)
 *             ct status dnat accept                  published ports, also those of others
 *             ct direction reply accept
 *             iifname @parent oifname "anc0123abcdh" drop
 *             iifname @owned drop                    what begins inside, and what belongs to no connection
 *             iifname . ip saddr @guarded4 drop
 *             iifname . ip6 saddr @guarded6 drop
 *         }
 *     }
 *
 * And nobody else leaves by the project (HOST-2): who shares a network with it could send to our next hop, as any
 * container may send any frame. What bridges pass on to our pairs comes of containers in scope; a pair that was made a
 * moment ago is in no set, and closed.
 *
 *     table bridge anchord_host_0123abcd {
 *         set owned    { type ifname; }              the outer ends of pairs on the project's own networks
 *         set guarded4 { type ifname . ipv4_addr; }  its containers on the other ones
 *         set guarded6 { type ifname . ipv6_addr; }
 *         chain forward {
 *             type filter hook forward priority 0; policy accept;
 *             oifname != "anc0123abcdb*" accept
 *             oifname @owned accept
 *             meta protocol arp accept
 *             ip6 daddr fe00::/7 accept              neighbours; no router passes it on
 *             oifname . ip saddr @guarded4 accept
 *             oifname . ip6 saddr @guarded6 accept
 *             drop
 *         }
 *     }
 *
 * Called by identity_links.c and links.c in anchord-links with CAP_NET_ADMIN. One transaction replaces a table: no
 * packet comes between. They stay when the process ends, and a successor leaves them alone until the watcher has told.
 * What others change in them is put back at once.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/links/guard_batch.h"
#include "workers/netlink/rtnetlink.h"

#include <assert.h>

/* Beside what is constant: five headers of lists, and each element with its attributes. */
#define GUARD_SENT_MAX (GUARD_BATCH_SIZE + 5 * 128 + 28 * (2 * BRIDGES_MAX + 1) + 44 * GUARDED_MAX)
static_assert(GUARD_BATCH_SIZE >= GUARD_PORT_BATCH_SIZE, "room for both");

enum guard_table {
    GUARD_BRIDGES, /* of the family inet: what leaves bridges, and what comes by host0 */
    GUARD_PORTS,   /* of the family bridge: what comes to our pairs */
    GUARD_TABLE_MAX_,
};

/* As it was last sent; size 0: not yet, or somebody else has changed it. */
struct guard_sent {
    size_t size;
    unsigned char bytes[GUARD_SENT_MAX];
    int said; /* the error that was last logged, or 0 */
};

struct guard {
    uint32_t tag; /* of the project */
    const char *parent;
    struct rtnetlink *netfilter;
    struct mnl_socket *monitor;     /* of all changes of nftables */
    struct message_guarded guarded; /* counts with the bridges of its generation */
    struct guard_sent sent[GUARD_TABLE_MAX_];
};

/* What a table calls the network of each item of BRIDGES; NULL: it has no place in it. */
struct guard_names {
    const char *names[BRIDGES_MAX];
};

/* Returns 0 or a negative errno. */
int guard_open(struct guard *guard) __attribute__((warn_unused_result));
void guard_close(struct guard *guard);

/* Reads what the monitor has to say. Returns whether somebody else has changed a table. */
bool guard_hear(struct guard *guard);

/* Puts a table there if it is not, or is to be another one. */
void guard_apply(struct guard *guard, enum guard_table which, const struct message_bridges *bridges,
                 const struct guard_names *names);

/* Returns 0, also when it was not there, or a negative errno (logged). */
int guard_remove(struct guard *guard, enum guard_table which);

/* Whether the kernel has such a table of this project's; not when it cannot be asked. */
bool guard_stands(struct guard *guard, enum guard_table which);
