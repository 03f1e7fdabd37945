/*
 * Whether the kernel's maps hold each exposed port, and nothing else (SEE-2). Used by rule_checks.c behind the seal;
 * pure.
 */
#pragma once

#include "workers/commands/doctor/check.h"

/* Says what differs, and returns how many do; in *ret_seen how many ports are exposed. */
size_t exposed_elements_compare(struct check_run *run, size_t *ret_seen);
