/*
 * `anchord status` as people and as programs read it.
 *
 * Used by status_command.c, as whoever types the command; writes to standard output only.
 */
#pragma once

#include "daemon/command/control_client.h"

/* Aligned text; with colours where the output is a terminal. Foreign text cannot send control characters to it. */
void status_output_text(const struct status *status);

/* One JSON object; its keys are documented in anchord(1). Returns 0 or -ENOMEM. */
int status_output_json(const struct status *status) __attribute__((warn_unused_result));
