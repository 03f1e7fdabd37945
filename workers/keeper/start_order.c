/* Which of two containers was started first; see start_order.h. Pure, no privilege. */
#include "workers/keeper/start_order.h"

/* Times that do not count; once they do not, they never do, also when the clock has come so far. */
static bool prove_nothing(struct start_record *record, uint64_t now)
{
    if (record->own > now || record->target > now) {
        record->own_odd = record->own;
        record->target_odd = record->target;
    }
    return record->own_odd == record->own && record->target_odd == record->target;
}

enum start_order start_order_judge(struct start_record *record, const struct inspection *dependent,
                                   const struct inspection *target, uint64_t now)
{
    bool is_known = record->own != 0 && record->target != 0;

    if (record->own != dependent->started)
        record->is_outlived = false;
    else if (is_known && record->target != target->started)
        record->is_outlived = true;
    record->own = dependent->started;
    record->target = target->started;
    if (record->joined != 0 && record->joined == target->started)
        return START_ORDER_WELL;
    if (record->is_outlived)
        return START_ORDER_DEAD;
    if (prove_nothing(record, now))
        return START_ORDER_UNKNOWN;
    return target->started > dependent->started ? START_ORDER_DEAD : START_ORDER_WELL;
}

void start_order_note_joined(struct start_record *record, uint64_t target_started)
{
    record->joined = target_started;
}
