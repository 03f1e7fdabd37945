/*
 * What the announcer read in a router's advertisement (RFC 4861 §4.2), for netadmin: which prefixes that router names
 * now, which the kernel does not tell (NAT-8). Included by messages.h, which is the one to include.
 *
 * Every field comes from whoever is on the LAN: validate.c checks the form; netadmin takes no address and no route from
 * it, only an order among those that the kernel made, and what it says in the log.
 */
#pragma once

#include "protocol/messages_parts.h"

#define ADVERTISED_PREFIXES_MAX 8  /* of one advertisement; the first ones */
#define ADVERTISERS_MAX         16 /* routers of which the last advertisement is remembered */

struct wire_prefix {
    struct wire_address address; /* the subnet's first address */
    uint8_t prefix_length;
    uint8_t reserved[3];
};

struct message_advertised { /* ADVERTISED: announcer -> netadmin, when a router says another thing than before */
    struct message_header header;
    uint32_t index;             /* of the interface that it came in by */
    struct wire_address router; /* its link-local address */
    uint32_t mtu;               /* of the MTU option; 0 without one */
    uint32_t longest_route;     /* prefix length of the most specific route information (RFC 4191 §2.3); 0: none */
    uint32_t prefix_count;
    uint32_t reserved;
    struct wire_prefix prefixes[ADVERTISED_PREFIXES_MAX]; /* those that are preferred; unused ones all zero */
};
static_assert(sizeof(struct message_advertised) == 24 + 4 + 20 + 16 + ADVERTISED_PREFIXES_MAX * 24, "no padding");
