/*
 * What answers at an attached project's address, and what could not be done, as people read it.
 *
 * Used by attach_start.c, as root.
 */
#pragma once

#include "daemon/command/attached_status.h"

/* On standard output: the address, each port with its container, what was refused or withheld. */
void attach_report_print(const char *project, bool is_units, const struct attached_status *status);

/* On standard error: what is missing, and what helps. */
void attach_report_unmet(const struct attached_status *status, bool is_units, bool has_dhcp);
