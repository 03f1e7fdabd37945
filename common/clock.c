/* The clocks; see clock.h. Runs in every process, needs no privilege. */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now = {0};

    (void)clock_gettime(id, &now); /* cannot fail for these clocks */
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_microseconds(void)
{
    return read_clock(CLOCK_MONOTONIC) / 1000;
}

uint64_t clock_boottime_microseconds(void)
{
    return read_clock(CLOCK_BOOTTIME) / 1000;
}

uint64_t clock_real_nanoseconds(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t clock_processor_microseconds(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID) / 1000;
}

void clock_format(uint64_t nanoseconds, char text[CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(nanoseconds / NANOSECONDS_PER_SECOND);
    unsigned int microseconds = (unsigned int)(nanoseconds % NANOSECONDS_PER_SECOND / 1000);
    struct tm fields = {0};

    (void)gmtime_r(&seconds, &fields);
    (void)snprintf(text, CLOCK_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
                   (unsigned int)(fields.tm_year + 1900) % 10000, (unsigned int)fields.tm_mon % 12 + 1,
                   (unsigned int)fields.tm_mday % 100, (unsigned int)fields.tm_hour % 100,
                   (unsigned int)fields.tm_min % 100, (unsigned int)fields.tm_sec % 100, microseconds % 1000000);
}
