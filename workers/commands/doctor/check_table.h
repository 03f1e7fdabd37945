/*
 * All checks of `anchord doctor`, in the order in which they are told.
 *
 * Read by options.c and runner.c. Each function stands in the file of its group: platform_checks.c …
 */
#pragma once

#include "workers/commands/doctor/check.h"

extern const struct check check_table[];
extern const size_t check_count;
