/* What a container in another one's namespace needs; see repair.h. Pure, no privilege. */
#include "workers/keeper/repair.h"

/*
 * One that ended and that Docker did not fail to start again was stopped by somebody, or was done: it stays as it is.
 * One that was never started is half of a `compose up` that failed.
 */
static bool should_run(const struct inspection *dependent)
{
    return dependent->is_running || dependent->is_created || dependent->has_failed_start;
}

enum repair repair_choose(const struct inspection *dependent, const struct inspection *target, enum start_order order)
{
    if (dependent->is_rebinder || dependent->is_paused || !should_run(dependent))
        return REPAIR_NONE;
    if (!target || !target->is_running)
        return REPAIR_WAIT;
    if (!inspection_is(target, dependent->joined))
        return REPAIR_RECREATE;
    if (!dependent->is_running)
        return REPAIR_START;
    if (order == START_ORDER_UNKNOWN)
        return REPAIR_UNKNOWN;
    return order == START_ORDER_DEAD ? REPAIR_RESTART : REPAIR_NONE;
}
