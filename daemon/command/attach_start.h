/*
 * The second half of `anchord attach`: writes the file, starts both halves, waits until the project is on the LAN,
 * and says what answers there; or undoes all of it (HOST-1).
 *
 * Used by attach_command.c, as root.
 */
#pragma once

#include "daemon/command/attach_checks.h"

/* Returns the exit status. */
int attach_start_run(const struct attach_request *request, const struct attach_plan *plan);
