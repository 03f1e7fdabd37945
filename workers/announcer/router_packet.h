/*
 * Router advertisements (RFC 4861 §4.2) as far as they concern us: which prefixes, MTU and routes a router names, and
 * which of the last ones netadmin has been told.
 *
 * Pure functions without privilege, used by announcer.c, the unit tests and a fuzz target. What is parsed comes from
 * anybody on the link.
 */
#pragma once

#include "common/address.h"
#include "common/recent.h"
#include "protocol/messages.h"

#include <stdbool.h>
#include <stddef.h>

/* netadmin is told no more of a link in a second, whatever is forged there; the kernel takes what it takes. */
#define ADVERTISEMENTS_PER_SECOND 16

/* More links with routers than an anchor has networks, as a rule; of more, those that came last. */
#define ADVERTISED_LINKS_MAX 8

/*
 * Reads a received ICMPv6 message of `length` bytes, as neighbour_parse() takes it, and fills all of *ret but header
 * and index. Returns 0, or -EBADMSG with *ret untouched: no router advertisement, or one that RFC 4861 §6.1.2 makes us
 * ignore.
 */
int router_parse(const void *message, size_t length, int hop_limit, const struct ip_address *source,
                 struct message_advertised *ret) __attribute__((warn_unused_result));

/* The last advertisement of each router on a link. */
struct link_advertisements {
    uint32_t index;
    struct message_advertised items[ADVERTISERS_MAX];
    struct recent recent;
};

/* What netadmin was told of a link. */
struct advertisement_budget {
    uint32_t index;         /* 0: of none */
    unsigned int told;      /* in the second that began then: */
    uint64_t second_begins; /* monotonic microseconds */
};

/*
 * Each link has its own, so that whoever forges them in a Docker network takes none from the LAN. Budgets are kept for
 * more links than advertisements, or who has more links than are remembered could tell of each as if it were new. Zero
 * is empty.
 */
struct advertisements {
    struct link_advertisements links[ADVERTISED_LINKS_MAX];
    struct recent recent;
    struct advertisement_budget budgets[LINKS_MAX];
};

/*
 * Takes over what a router said, with header and index filled. Returns whether netadmin must be told: it is another
 * thing than before. What comes too fast is as if it had not been heard: routers repeat themselves.
 */
bool advertisements_note(struct advertisements *advertisements, const struct message_advertised *advertised,
                         uint64_t now);
