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
