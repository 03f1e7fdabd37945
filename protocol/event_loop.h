/*
 * The event loop of a worker that will shut itself in.
 *
 * Used by supervised.c for the workers' main(), before sandbox_seal(); needs no privilege.
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
