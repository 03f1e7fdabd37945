/* The questions on their way; see probes.h. Pure; runs in anchord-announcer and its tests. */
#include "workers/announcer/probes.h"

#include "common/clock.h"

#include <errno.h>

struct probe *probes_find(struct probes *probes, uint32_t index, const struct ip_address *address)
{
    for (size_t i = 0; i < probes->count; i++) {
        struct probe *probe = &probes->items[i];

        if (probe->target.index == index && ip_address_equal(&probe->address, address))
            return probe;
    }
    return NULL;
}

int probes_add(struct probes *probes, const struct message_probe *message, uint64_t now)
{
    struct ip_address address = wire_address_to(&message->target.address);
    struct probe *probe = probes_find(probes, message->target.index, &address);

    if (!probe) {
        if (probes->count == PROBES_MAX)
            return -ENOSPC;
        probe = &probes->items[probes->count++];
    }
    *probe = (struct probe){
        .target = message->target,
        .address = address,
        .generation = message->header.generation,
        .ends = now + PROBE_DURATION_MILLISECONDS * MICROSECONDS_PER_MILLISECOND,
        .due = now,
    };
    return 0;
}

uint64_t probes_next(const struct probes *probes)
{
    uint64_t next = PROBE_NEVER;

    for (size_t i = 0; i < probes->count; i++) {
        if (probes->items[i].due < next)
            next = probes->items[i].due;
    }
    return next;
}

struct probe *probes_find_due(struct probes *probes, uint64_t now)
{
    for (size_t i = 0; i < probes->count; i++) {
        if (probes->items[i].due <= now)
            return &probes->items[i];
    }
    return NULL;
}

bool probe_takes_turn(struct probe *probe, uint64_t now)
{
    if (now >= probe->ends || probe->asked == PROBE_QUESTIONS)
        return false;
    probe->asked++;
    probe->due = probe->asked == PROBE_QUESTIONS ? probe->ends
                                                 : now + PROBE_INTERVAL_MILLISECONDS * MICROSECONDS_PER_MILLISECOND;
    return true;
}

void probes_remove(struct probes *probes, struct probe *probe)
{
    *probe = probes->items[--probes->count];
}
