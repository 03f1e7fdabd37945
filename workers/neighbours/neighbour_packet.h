/*
 * IPv6 neighbour discovery (RFC 4861): the unsolicited advertisement and the probe, and what others say.
 *
 * Pure functions without privilege, used by announcer.c, holder_search.c, the unit tests and a fuzz target. What is
 * parsed comes from anybody on the link.
 */
#pragma once

#include "workers/neighbours/ethernet_frame.h"

#include <stdbool.h>

/* RFC 4861 §7.1: from a hop further away it would be less. */
#define NEIGHBOUR_HOP_LIMIT 255

/* Where the target stands in the ICMPv6 message; packet_filter.c looks there too. */
#define NEIGHBOUR_TARGET_OFFSET 8

struct neighbour_message {
    bool is_probe; /* a solicitation; else an advertisement */
    struct ip_address target;
    struct mac_address target_mac; /* of an advertisement; zero when it does not say */
};

/*
 * "I have `address`", to all nodes (RFC 4861 §7.2.6): override, because another MAC may be in their caches;
 * router as the kernel's own advertisements on that link have it: without that flag hosts would have to drop us as
 * their gateway (§7.2.5), and with it they would take us for one.
 */
void neighbour_build_announcement(const struct mac_address *mac, const struct ip_address *address, bool is_router,
                                  struct ethernet_frame *ret);

/* "Who has `address`?" as duplicate address detection asks it: from ::, to its solicited-node group (RFC 4862 §5.4.2).
 */
void neighbour_build_probe(const struct mac_address *mac, const struct ip_address *address, struct ethernet_frame *ret);

/* The same as a neighbour asks who wants to send there: from its own address, with its MAC address (RFC 4861 §7.2.2).
 * Whoever has it answers `source`; a router that is about to take it does not give it up. */
void neighbour_build_question(const struct mac_address *mac, const struct ip_address *source,
                              const struct ip_address *address, struct ethernet_frame *ret);

/*
 * Reads a received ICMPv6 message of `length` bytes, as a raw socket gives it (without the IPv6 header; the kernel
 * has checked the checksum), with the hop limit and source that came with it. Returns 0, or -EBADMSG with *ret
 * untouched: neither an advertisement nor somebody's duplicate address detection, or one that RFC 4861 §7.1
 * makes us ignore.
 */
int neighbour_parse(const void *message, size_t length, int hop_limit, const struct ip_address *source,
                    struct neighbour_message *ret) __attribute__((warn_unused_result));
