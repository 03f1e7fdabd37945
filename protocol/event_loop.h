/*
 * The event loop of a worker that will shut itself in.
 *
 * Used by supervised.c for the workers' main(), before sandbox_seal(), and by whoever follows the kernel's
 * notifications; needs no privilege.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

DEFINE_POINTER_CLEANUP(sd_event, (void)sd_event_unref, event_loop_unrefp);

/*
 * Makes an event loop whose timers work behind the sandbox: sd-event reads /proc/sys/kernel/random/boot_id when it
 * sets its first timer, to spread wake-ups over the machine, and opens the timer's descriptor then.
 * Returns 0 or a negative errno; *ret is untouched on failure.
 */
int event_loop_new(sd_event **ret) __attribute__((warn_unused_result));

/*
 * For a source of the kernel's notifications, which our own changes make, too: a quarrel with another program over one
 * route or link must not take the processor. After so many turns the loop waits for the rest of an interval, which is
 * still well within a second. Returns 0 or a negative errno.
 */
int event_loop_limit_turns(sd_event_source *source) __attribute__((warn_unused_result));

/* A timer that is off, and a step that the loop takes when it is woken. Made before the sandbox is sealed, which leaves
 * no timerfd_create(2). Return 0 or a negative errno. */
int event_loop_add_timer(sd_event *event, clockid_t clock, uint64_t accuracy, sd_event_time_handler_t handler,
                         void *userdata, sd_event_source **ret) __attribute__((warn_unused_result));
int event_loop_add_step(sd_event *event, sd_event_handler_t handler, void *userdata, sd_event_source **ret)
    __attribute__((warn_unused_result));

/* Of sources of our own, with valid arguments: these cannot fail. */
void event_loop_set_timer(sd_event_source *timer, uint64_t at); /* of its clock, microseconds; UINT64_MAX: off */
void event_loop_start_timer(sd_event_source *timer, uint64_t delay);
void event_loop_wake(sd_event_source *step); /* once, however often it is called before */
