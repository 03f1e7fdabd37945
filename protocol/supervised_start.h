/*
 * How every worker begins, whatever loop it has.
 *
 * Called by supervised.c, and by anchord-gate, which has a loop of its own. Links no library; runs with the worker's
 * own rights, needs no privilege.
 */
#pragma once

#include "common/sandbox.h"

/*
 * First of all: names the worker in the log, enters the sandbox with exactly `capabilities` (1 << CAP_…) and blocks
 * what would end it by signal. A missing capability gives EXIT_STATUS_CONFIGURATION, with `remedy` in the log; NULL:
 * there is none to miss. Returns EXIT_STATUS_CLEAN, or with what the process must end.
 */
int supervised_enter(const char *name, uint64_t capabilities, const char *remedy) __attribute__((warn_unused_result));

/* Seals the sandbox, logging what failed. Returns 0 or a negative errno: end with EXIT_STATUS_SANDBOX. */
int supervised_seal(const struct sandbox_profile *profile) __attribute__((warn_unused_result));
