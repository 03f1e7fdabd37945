/* A worker's event loop; see event_loop.h. Runs in every worker, without privilege. */
#include "protocol/event_loop.h"

#include "common/clock.h"

#include <time.h>

#define TURNS_PER_INTERVAL 20
#define TURN_INTERVAL      (200 * MICROSECONDS_PER_MILLISECOND)

DEFINE_POINTER_CLEANUP(sd_event_source, (void)sd_event_source_disable_unref, source_unrefp);

int event_loop_new(sd_event **ret)
{
    CLEANUP(event_loop_unrefp) sd_event *event = NULL;
    CLEANUP(source_unrefp) sd_event_source *timer = NULL;
    int result = sd_event_new(&event);

    /* With nothing else in the loop, one turn only sets the timer. */
    if (result >= 0)
        result = sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, MICROSECONDS_PER_SECOND, 0, NULL, NULL);
    if (result >= 0)
        result = sd_event_run(event, 0);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(event);
    return 0;
}

int event_loop_limit_turns(sd_event_source *source)
{
    return sd_event_source_set_ratelimit(source, TURN_INTERVAL, TURNS_PER_INTERVAL);
}

int event_loop_add_timer(sd_event *event, clockid_t clock, uint64_t accuracy, sd_event_time_handler_t handler,
                         void *userdata, sd_event_source **ret)
{
    int result = sd_event_add_time(event, ret, clock, 0, accuracy, handler, userdata);

    return result < 0 ? result : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int event_loop_add_step(sd_event *event, sd_event_handler_t handler, void *userdata, sd_event_source **ret)
{
    int result = sd_event_add_defer(event, ret, handler, userdata);

    return result < 0 ? result : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

void event_loop_set_timer(sd_event_source *timer, uint64_t at)
{
    (void)sd_event_source_set_time(timer, at);
    (void)sd_event_source_set_enabled(timer, at == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

void event_loop_start_timer(sd_event_source *timer, uint64_t delay)
{
    (void)sd_event_source_set_time_relative(timer, delay);
    (void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

void event_loop_wake(sd_event_source *step)
{
    (void)sd_event_source_set_enabled(step, SD_EVENT_ONESHOT);
}
