/*
 * The clocks: monotonic for intervals and deadlines, boot time for what also ages while the machine sleeps, real time
 * for what people read, processor time for what work costs.
 *
 * Used by every process; needs no privilege.
 */
#pragma once

#include "common/time_units.h"

#include <stddef.h>
#include <stdint.h>

/* RFC 3339 with microseconds and `Z`, e.g. 2026-11-22T15:04:05.123456Z, and its NUL. */
#define CLOCK_TEXT_SIZE 28

/* CLOCK_MONOTONIC in microseconds, the unit and clock of sd-event timers. */
uint64_t clock_monotonic_microseconds(void);

/* CLOCK_BOOTTIME in microseconds. */
uint64_t clock_boottime_microseconds(void);

/* CLOCK_REALTIME in nanoseconds since 1970, the unit of Docker's `timeNano`. */
uint64_t clock_real_nanoseconds(void);

/* What this process has computed so far, in microseconds: what waits for a processor meanwhile does not count. */
uint64_t clock_processor_microseconds(void);

/* Writes the real time `nanoseconds` as RFC 3339 in UTC. */
void clock_format(uint64_t nanoseconds, char text[CLOCK_TEXT_SIZE]);
