/*
 * What the kernel of an anchor's network namespace has to say of one connection, for `anchord explain` (SEE-3).
 *
 * Called by main.c in anchord-explain, behind its seal and with CAP_NET_ADMIN: nftables and conntrack ask for it at
 * each request. Reads netlink alone; changes nothing.
 */
#pragma once

#include "protocol/explain_records.h"
#include "workers/netlink/rtnetlink.h"

struct look {
    const struct explain_request *request;
    struct rtnetlink *filter; /* of NETLINK_NETFILTER */
    struct rtnetlink *routes;
    unsigned int input; /* interfaces by their index; 0: it is not there */
    unsigned int external;
    struct if_nameindex *names; /* of all */
};

void look_at_kernel(struct look *look, struct explain_facts *ret);
