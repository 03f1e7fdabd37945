/*
 * What the ruleset half of anchord-netadmin is told by the network half, as values; pure, no privilege.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"
#include "workers/netadmin/plan/inner_prefixes.h"

/* What the ruleset needs to know about the two interfaces, and of the others. Zeroed before it is filled in, and of
 * bytes alone, without padding, so that two of them are compared as bytes. */
struct network_view {
    char external_name[INTERFACE_NAME_SIZE];
    char shared_name[INTERFACE_NAME_SIZE]; /* ending in *: that of several links begins so */
    char host_name[INTERFACE_NAME_SIZE];   /* of the link to the host (HOST-7); empty: there is none */
    /* The external interface's addresses of both families, sorted; without link-local ones and without those that are
     * still tentative or failed their duplicate address detection, but with those that are about to be added (NAT-9).
     */
    struct ip_address external[LINK_ADDRESSES_MAX];
    uint8_t external_count;
    struct ip_address egress4; /* the source of what goes to the host; family none if there is none */
    /* The sources of forwarded v6 (NAT-8): to everywhere, and to fc00::/7; family none if there is none. */
    struct ip_address egress6_global;
    struct ip_address egress6_unique_local;
    /* The subnets of every other link, by FAMILY_INDEX_…: no source of theirs comes from outside (WALL-1). */
    struct ip_subnet inner[FAMILY_INDEX_MAX_][INNER_PREFIXES_MAX];
    uint8_t inner_count[FAMILY_INDEX_MAX_];
};
static_assert(LINK_ADDRESSES_MAX <= UINT8_MAX && INNER_PREFIXES_MAX <= UINT8_MAX, "a byte counts them");
