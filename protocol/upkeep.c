/* What every worker does besides its work; see upkeep.h. Runs in every worker, with the worker's own rights. */
#include "protocol/upkeep.h"

#include "common/clock.h"
#include "common/log.h"
#include "protocol/metrics.h"

#include <sys/time.h>

/* Reading takes some microseconds: not at each of many events. */
#define REPORT_INTERVAL MICROSECONDS_PER_SECOND
/* So long a place in the log stays silent before it is said what was left out there. */
#define SILENCE (5 * MICROSECONDS_PER_SECOND)

/* Of many events the alarm is not set for each: it comes this much early at most. */
#define ALARM_AGE MICROSECONDS_PER_SECOND

static uint64_t reported_at; /* monotonic microseconds, as all of these */
static uint64_t silent_since;
static uint64_t alarm_set_at; /* 0: it is not set */

static void set_alarm(time_t seconds)
{
    const struct itimerval timer = {.it_value.tv_sec = seconds};

    (void)setitimer(ITIMER_REAL, &timer, NULL); /* cannot fail with a valid time */
}

static uint64_t tell_left_out(uint64_t now)
{
    if (!log_has_left_out()) {
        silent_since = 0;
        return UINT64_MAX;
    }
    if (silent_since == 0)
        silent_since = now;
    if (now - silent_since < SILENCE)
        return silent_since + SILENCE - now;
    log_tell_left_out();
    silent_since = 0;
    return UINT64_MAX;
}

uint64_t upkeep_before_sleep(void)
{
    uint64_t now = clock_monotonic_microseconds();

    if (now - reported_at >= REPORT_INTERVAL) {
        metrics_report_process();
        reported_at = now;
    }
    set_alarm(0);
    alarm_set_at = 0;
    return tell_left_out(now);
}

void upkeep_before_work(void)
{
    uint64_t now = clock_monotonic_microseconds();

    if (alarm_set_at > 0 && now - alarm_set_at < ALARM_AGE)
        return;
    set_alarm(UPKEEP_WORK_LIMIT);
    alarm_set_at = now;
}
