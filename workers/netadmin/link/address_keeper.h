/*
 * Keeps what Docker gave (ADDR-1): when a link goes down, the kernel takes its IPv6 addresses away
 * (net.ipv6.conf.IF.keep_addr_on_down is 0, and no netlink message sets it), and nobody in the container would
 * give them back. IPv4 addresses stay by themselves.
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN).
 */
#pragma once

#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/* Zero: nothing is kept. */
struct kept_addresses {
    uint32_t link_index;
    uint32_t count;
    struct link_address addresses[LINK_ADDRESSES_MAX];
};

/*
 * To be called when a link was seen to go down, with the link as it was before: remembers its permanent IPv6
 * addresses but link-local, autoconfigured and claimed ones.
 */
void address_keeper_note(struct kept_addresses *kept, const struct network_link *before);

/*
 * Gives the kept addresses back to `link` once it is up. Returns the number of added ones, or a negative errno
 * whose request is rtnetlink_request(). What is back is forgotten: who removes it then means it.
 */
int address_keeper_restore(struct rtnetlink *rtnetlink, struct kept_addresses *kept, const struct network_link *link)
    __attribute__((warn_unused_result));
