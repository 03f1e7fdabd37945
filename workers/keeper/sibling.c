/* What a network-anchor does about siblings in others' namespaces; see sibling.h. Pure, no privilege. */
#include "workers/keeper/sibling.h"

#include "common/clock.h"
#include "common/shell_word.h"
#include "workers/docker/plain_name.h"

#include <stdio.h>
#include <string.h>

/* `compose up` starts what it has created within this time, and need not be helped. */
#define START_DELAY MICROSECONDS_PER_SECOND
/* A service-anchor that lost its namespace ends and is restarted within this time (SA-6); so does Compose recreate. */
#define REPORT_DELAY (3 * MICROSECONDS_PER_SECOND)

enum state {
    WELL,
    WAITS,   /* for its target, which does not run, is not as healthy as it must be, or has not been created yet */
    STARTS,  /* its target runs, and it was never started, or could not be */
    RESTART, /* its target was started after it: the same ID, another namespace */
    UNKNOWN, /* which of them was started first cannot be told */
    LOST,    /* no container has that ID any more */
};

static enum state state_of(const struct inspection *sibling, const struct inspection *target, enum start_order order)
{
    bool is_waiting = sibling->has_failed_start ? sibling->has_failed_to_join : sibling->is_created;

    if (sibling->is_paused || (!sibling->is_running && !is_waiting))
        return WELL;
    if (!target)
        return inspection_is_id(sibling->joined) ? LOST : WAITS; /* a name may still come; an ID never does */
    if (!target->is_running)
        return WAITS;
    if (!sibling->is_running)
        return sibling->wants_healthy && target->is_unhealthy ? WAITS : STARTS;
    if (order == START_ORDER_UNKNOWN)
        return UNKNOWN;
    return order == START_ORDER_DEAD ? RESTART : WELL;
}

/* Somebody will paste it: what is no name of Compose's is no part of it, whatever a label says. */
void sibling_recreate_command(const struct inspection *sibling, char ret[SIBLING_COMMAND_SIZE])
{
    if (plain_name_is_valid(sibling->project) && plain_name_is_valid(sibling->service))
        (void)snprintf(ret, SIBLING_COMMAND_SIZE, "docker compose -p %s up -d --no-deps --force-recreate %s",
                       sibling->project, sibling->service);
    else
        (void)snprintf(ret, SIBLING_COMMAND_SIZE, "docker rm -f %s, and create it again", SHELL_WORD(sibling->name));
}

void sibling_judge(struct memory_entry *entry, const struct inspection *sibling, const struct inspection *target,
                   bool may_start, enum start_order order, uint64_t now, struct sibling_verdict *ret)
{
    enum state state = state_of(sibling, target, order);
    uint64_t delay = state == STARTS ? START_DELAY : REPORT_DELAY;

    *ret = (struct sibling_verdict){.action = state == UNKNOWN ? SIBLING_UNKNOWN : SIBLING_LEAVE};
    if (state == WELL || state == UNKNOWN || state == WAITS || (state == STARTS && !may_start)) {
        entry->wrong_since = 0;
        return;
    }
    if (entry->wrong_since == 0)
        entry->wrong_since = now;
    if (now < entry->wrong_since + delay) {
        ret->action = SIBLING_LATER;
        ret->time = entry->wrong_since + delay;
        return;
    }
    ret->action = state == STARTS ? SIBLING_START : SIBLING_REPORT;
    if (state == LOST)
        sibling_recreate_command(sibling, ret->command);
    else if (state == RESTART)
        (void)snprintf(ret->command, sizeof(ret->command), "docker restart %s", SHELL_WORD(sibling->name));
}
