/*
 * The host's addresses: where it is reached (HOST-7), and which subnets its bridges have (HOST-2).
 *
 * Called by identity_links.c and host_routes.c in anchord-links.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/links/link_requests.h"

#define SEEN_ADDRESSES_MAX 512 /* Docker's bridges have one or two each; more are not looked at */

struct seen_address {
    uint32_t index; /* of its link */
    bool is_fit;    /* as a source: verified, and not on its way out */
    struct ip_subnet subnet;
};

/* Without loopback and link-local ones. */
struct address_snapshot {
    struct seen_address addresses[SEEN_ADDRESSES_MAX];
    size_t count;
    size_t left_out;
};

/* Returns 0 or a negative errno. */
int host_addresses_read(struct rtnetlink *rtnetlink, struct address_snapshot *ret) __attribute__((warn_unused_result));

/* The subnets of the link `index`, as many as there is room for. */
void host_addresses_fill_subnets(const struct address_snapshot *snapshot, uint32_t index, struct wire_shared_link *ret);

/* But for the header and host_mac; those on the parent first. `parent`: its index, 0: none. Returns how many more there
 * are. */
size_t host_addresses_describe(const struct address_snapshot *snapshot, uint32_t parent,
                               struct message_host_addresses *ret);
