/*
 * What the kernel remembers of neighbours, and what it is to forget of backends.
 *
 * Called by network.c and route/router_watch.c inside anchord-netadmin (CAP_NET_ADMIN).
 */
#pragma once

#include "workers/netadmin/link/network_ground.h"
#include "workers/netadmin/plan/newcomers.h"

struct neighbour {
    uint32_t index; /* of the link */
    uint16_t state; /* NUD_… */
    struct ip_address address;
};

/* Reads an RTM_NEWNEIGH of `family`; false for anything else. */
bool neighbour_parse(const struct nlmsghdr *message, uint8_t family, struct neighbour *ret);

/* ip neighbour show dev LINK. Another entry may come or go meanwhile: those that matter were there before, or are told
 * by a notification. Returns 0 or a negative errno whose request is rtnetlink_request(). */
int neighbours_read(struct rtnetlink *rtnetlink, uint8_t family, uint32_t index, rtnetlink_handler handler,
                    void *userdata) __attribute__((warn_unused_result));

/*
 * By family: backends came that no element named before. A container that is recreated often has its predecessor's IPv6
 * address and another MAC address, which engines before 28 tell nobody: the kernel would send to the old one until its
 * neighbour entry is no longer reachable, which takes up to 53 s (net/core/neighbour.c: 45 s and the probes). So it is
 * to ask anew. What fails is said, and the others go on.
 */
void neighbours_forget(struct network_ground *ground, const struct backend_list newcomers[FAMILY_INDEX_MAX_]);
