/*
 * Timers of the supervisor's event loop: made once, set and cleared as it comes.
 *
 * Used by what watches processes, namespaces and leases, in the supervisor. No privilege.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>
#include <time.h>

/* One that is not set, on `clock` (CLOCK_…); accurate to `accuracy` microseconds. Returns 0 or a negative errno. */
int timer_new(sd_event *event, clockid_t clock, uint64_t accuracy, sd_event_time_handler_t handler, void *userdata,
              sd_event_source **ret) __attribute__((warn_unused_result));

/* Once, `delay` microseconds from now; whatever it was set to is forgotten. */
void timer_set(sd_event_source *timer, uint64_t delay);
void timer_clear(sd_event_source *timer);
