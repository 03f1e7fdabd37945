/*
 * `anchord status --html`: one page that needs nothing but itself (SEE-5).
 *
 * Used by status_command.c, as whoever types the command; writes to standard output only.
 */
#pragma once

#include "daemon/command/control_client.h"

/* No script, nothing from elsewhere, and a policy that allows neither; foreign text cannot become markup. `now` stands
 * on it, in nanoseconds since 1970. Returns 0, or a negative errno when it could not be written whole. */
int status_html_print(const struct status *status, uint64_t now) __attribute__((warn_unused_result));
