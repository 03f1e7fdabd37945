/* Timers of the supervisor's event loop; see timer.h. Runs in the supervisor, no privilege. */
#include "daemon/supervise/timer.h"

int timer_new(sd_event *event, clockid_t clock, uint64_t accuracy, sd_event_time_handler_t handler, void *userdata,
              sd_event_source **ret)
{
    int result = sd_event_add_time_relative(event, ret, clock, 0, accuracy, handler, userdata);

    return result < 0 ? result : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

/* Neither call can fail on a timer source of this process's event loop. */
void timer_set(sd_event_source *timer, uint64_t delay)
{
    (void)sd_event_source_set_time_relative(timer, delay);
    (void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

void timer_clear(sd_event_source *timer)
{
    (void)sd_event_source_set_enabled(timer, SD_EVENT_OFF);
}
