/* When a network has settled; see settle.h. Pure, no privilege. */
#include "workers/keeper/settle.h"

void settle_begin(struct settle *settle, uint64_t now, uint64_t backoff)
{
    *settle = (struct settle){.begins = now + backoff, .steady_since = now + backoff};
}

enum settle_state settle_look(struct settle *settle, const struct settle_times *times, uint64_t now, uint32_t count,
                              uint64_t *ret_next)
{
    uint64_t expires = settle->begins + times->limit;

    if (count != settle->count) {
        settle->count = count;
        settle->steady_since = now > settle->begins ? now : settle->begins;
    }
    if (count > 0 && now >= settle->steady_since + times->steady)
        return SETTLE_SETTLED;
    if (now >= expires)
        return SETTLE_EXPIRED;
    *ret_next = expires;
    if (count > 0 && settle->steady_since + times->steady < expires)
        *ret_next = settle->steady_since + times->steady;
    return SETTLE_UNSETTLED;
}
