/*
 * The two halves of an attached project as units of systemd (HOST-11, PKG-2): what attach_runner.c does by Compose
 * elsewhere.
 *
 * Used by attach_runner.c alone, as root. systemctl(1) does it, so that a person can do and see the same.
 */
#pragma once

#include "daemon/command/child_process.h"

/*
 * Each to its end. Returns 0, or a negative errno with what was said in `output`: -EINTR when the command is to end,
 * -ETIME when it took too long, -ECHILD when it failed.
 */
int attach_units_up(const char *project, struct child_output *output) __attribute__((warn_unused_result));
int attach_units_start(const char *project, struct child_output *output) __attribute__((warn_unused_result));

/* Both end, take all they made with them, whatever ANCHORD_ON_STOP says, and do not come back with the next boot. */
int attach_units_down(const char *project, struct child_output *output) __attribute__((warn_unused_result));

/* The last lines that a unit has written. */
int attach_units_log(const char *unit, struct child_output *output) __attribute__((warn_unused_result));
