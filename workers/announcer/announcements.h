/*
 * What is announced when (ADDR-12), as pure functions of the time: the committed addresses, each with its plan.
 *
 * Used by announcer.c and its tests; no privilege, no side effect. An address that is not in the last committed
 * state is not in here, so it cannot be announced.
 *
 *     appears, or its MAC or interface changes    at once, and once more 2 s later
 *     from then on                                every 60 … 120 s, drawn anew each time
 */
#pragma once

#include "protocol/messages.h"
#include "workers/announcer/conflict.h"
#include "workers/announcer/contest.h"

/* ANNOUNCE_NUM and ANNOUNCE_INTERVAL of RFC 5227 §1.1. */
#define ANNOUNCEMENTS_AT_FIRST        2
#define ANNOUNCEMENT_INTERVAL_SECONDS 2
/* Switch tables forget after 300 s, ARP caches after 1200 (ADDR-12); the jitter keeps many anchors apart. */
#define REPEAT_SECONDS_MIN 60
#define REPEAT_SECONDS_MAX 120

#define ANNOUNCEMENT_NEVER UINT64_MAX

struct announcement {
    struct wire_held held;
    struct ip_address address; /* held.address */
    unsigned int left_at_first;
    uint64_t due;             /* monotonic microseconds */
    struct conflict conflict; /* who claims it */
    struct conflict wish;     /* who probes for it */
    struct contest contest;   /* who has it, too */
};

struct announcements {
    struct announcement items[HELD_MAX];
    size_t count;
};

/*
 * Takes over the committed state `held`: what was there before with the same interface and MAC keeps its plan and
 * what is known of conflicts, what is new is due at `now`, the rest is forgotten.
 */
void announcements_replace(struct announcements *announcements, const struct wire_held *held, size_t count,
                           uint64_t now);

/* When the next one, or something about another holder, is due, or ANNOUNCEMENT_NEVER. */
uint64_t announcements_next(const struct announcements *announcements);

/* One that is due at `now`, or NULL. */
struct announcement *announcements_find_due(struct announcements *announcements, uint64_t now);

/* Plans the next one after one was sent at `now`; `random` is any number, equally distributed. */
void announcement_sent(struct announcement *announcement, uint64_t now, uint32_t random);

/* The address of ours on the interface `index`, or NULL. */
struct announcement *announcements_find(struct announcements *announcements, uint32_t index,
                                        const struct ip_address *address);

/* Whether it is the MAC of one of our interfaces. */
bool announcements_have_mac(const struct announcements *announcements, const struct mac_address *mac);
