/* Conflicts judged; see conflict.h. Pure; runs in anchord-announcer and its tests. */
#include "workers/announcer/conflict.h"

#include "common/clock.h"

static bool is_known(const struct conflict *conflict, const struct mac_address *holder)
{
    for (unsigned int i = 0; i < conflict->holder_count; i++) {
        if (mac_address_equal(&conflict->holders[i], holder))
            return true;
    }
    return false;
}

static void remember(struct conflict *conflict, const struct mac_address *holder)
{
    if (conflict->holder_count < HOLDERS_REMEMBERED) {
        conflict->holders[conflict->holder_count++] = *holder;
        return;
    }
    conflict->holders[conflict->oldest] = *holder;
    conflict->oldest = (conflict->oldest + 1) % HOLDERS_REMEMBERED;
}

struct conflict_decision conflict_judge(struct conflict *conflict, const struct mac_address *holder, uint64_t now)
{
    struct conflict_decision decision = {.must_defend = now >= conflict->defend_after};

    if (decision.must_defend)
        conflict->defend_after = now + DEFENCE_INTERVAL_SECONDS * MICROSECONDS_PER_SECOND;
    if (is_known(conflict, holder))
        return decision;
    if (now < conflict->log_after) {
        conflict->unlogged++;
        return decision;
    }
    remember(conflict, holder);
    decision.must_log = true;
    decision.unlogged = conflict->unlogged;
    conflict->unlogged = 0;
    conflict->log_after = now + CONFLICT_LOG_SECONDS * MICROSECONDS_PER_SECOND;
    return decision;
}
