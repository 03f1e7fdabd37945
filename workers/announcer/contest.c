/* Another holder followed to his end; see contest.h. Pure; runs in anchord-announcer and its tests. */
#include "workers/announcer/contest.h"

#include "common/clock.h"

bool contest_hear(struct contest *contest, const struct mac_address *holder, uint64_t now)
{
    bool is_news = mac_address_is_zero(&contest->holder);

    if (!is_news && !mac_address_equal(&contest->holder, holder))
        return false;
    if (is_news)
        contest->ask_at = now + CONTEST_QUESTION_SECONDS * MICROSECONDS_PER_SECOND;
    contest->holder = *holder;
    contest->ends = now + CONTEST_SILENCE_SECONDS * MICROSECONDS_PER_SECOND;
    return is_news;
}

enum contest_turn contest_take_turn(struct contest *contest, uint64_t now)
{
    if (now < contest_next(contest))
        return CONTEST_REST;
    if (now >= contest->ends) {
        *contest = (struct contest){0};
        return CONTEST_OVER;
    }
    contest->ask_at = now + CONTEST_QUESTION_SECONDS * MICROSECONDS_PER_SECOND;
    return CONTEST_ASK;
}

uint64_t contest_next(const struct contest *contest)
{
    if (mac_address_is_zero(&contest->holder))
        return CONTEST_NEVER;
    return contest->ask_at < contest->ends ? contest->ask_at : contest->ends;
}
