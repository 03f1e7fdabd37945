/*
 * Questions on their way, "does anybody else have this address?" (GW-1, RFC 5227 §2.1), as pure functions of the time.
 *
 * Used by announcer.c and its tests; no privilege, no side effect.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

/* At one time: the auxiliary gateways of one network, both families, with room to spare. */
#define PROBES_MAX                  (2 * SUBNETS_MAX)
#define PROBE_QUESTIONS             3
#define PROBE_INTERVAL_MILLISECONDS 60

#define PROBE_NEVER UINT64_MAX

struct probe {
    struct wire_held target;
    struct ip_address address; /* target.address */
    uint64_t generation;       /* of PROBE, to be echoed */
    unsigned int asked;
    uint64_t ends; /* monotonic microseconds */
    uint64_t due;  /* the next question or the end */
};

struct probes {
    struct probe items[PROBES_MAX];
    size_t count;
};

/* Begins one, due at `now`; one for the same address on the same interface begins anew. -ENOSPC when there are too
 * many. */
int probes_add(struct probes *probes, const struct message_probe *message, uint64_t now)
    __attribute__((warn_unused_result));

/* When one is due next, or PROBE_NEVER. */
uint64_t probes_next(const struct probes *probes);

/* One that is due at `now`, or NULL. */
struct probe *probes_find_due(struct probes *probes, uint64_t now);

/* One that is due at `now`: true when another question is to be asked (it counts as asked), false at its end. */
bool probe_takes_turn(struct probe *probe, uint64_t now);

/* The one for `address` on the interface `index`, or NULL. */
struct probe *probes_find(struct probes *probes, uint32_t index, const struct ip_address *address);

/* `probe` must be one of `probes`; pointers to others become invalid. */
void probes_remove(struct probes *probes, struct probe *probe);
