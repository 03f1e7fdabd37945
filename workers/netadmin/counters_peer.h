/*
 * Tells of what the tables count (SEE-4): the exporter by the metrics page, control by messages.
 *
 * Used by netadmin.c inside anchord-netadmin. Nothing is read unless somebody asks, and what is read is bounded: for a
 * few hundred times as long as a reading took there is no other one, so that tens of thousands of ports do not make an
 * anchor busy, however often it is asked.
 */
#pragma once

#include "protocol/control_link.h"
#include "workers/netadmin/ruleset.h"

struct counters_peer {
    struct ruleset *ruleset;
    const struct control_link *control;
    uint64_t next_reading; /* CLOCK_MONOTONIC, microseconds */
    uint64_t generation;
    uint64_t told; /* a sum over what control knows: another one is news */
};

/* `control` has its questions answered; all three stay where they are. */
void counters_peer_prepare(struct counters_peer *peer, struct ruleset *ruleset, struct control_link *control);

/* What a predecessor told of; before the first ruleset_apply(). */
void counters_peer_restore(struct counters_peer *peer);

/* Somebody asks: reads, unless that was a moment ago, and tells; control, if it is that, in any case. */
void counters_peer_look(struct counters_peer *peer, bool is_control);

/* Tells of what is known: ports that are new begin with it. */
void counters_peer_tell(struct counters_peer *peer);
