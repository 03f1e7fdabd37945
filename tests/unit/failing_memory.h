/*
 * Allocations that fail when a test wants it. The program is linked with --wrap for the functions that
 * failing_memory.c defines (meson.build), so that only what our own code calls is counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The `nth` allocation from now on, counted from 1, fails, and only that one. */
void failing_memory_arm(size_t nth);

/* From now on none fails. Returns whether one did. */
bool failing_memory_disarm(void);

/*
 * Calls `attempt` with the first, the second … allocation failing until none is left to fail. It cleans up behind
 * itself and returns 0 or more for success; each failed allocation must have made it return -ENOMEM. Returns how many
 * allocations there were; a failed check ends the test (cmocka).
 */
size_t failing_memory_try_each(int (*attempt)(void *context), void *context);
