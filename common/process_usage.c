/* What the calling process uses; see process_usage.h. Runs in every process, needs no privilege. */
#include "common/process_usage.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

/* poll(2) takes no more descriptors than RLIMIT_NOFILE allows; every process may have these few. */
#define DESCRIPTORS_PER_POLL 8

static int statm = -1;
static uint64_t start_microseconds;

void process_usage_prepare(void)
{
    if (start_microseconds > 0)
        return;
    start_microseconds = clock_real_nanoseconds() / 1000;
    statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

/* proc(5): the second number is the resident set in pages. */
static uint64_t read_resident_bytes(void)
{
    char text[128];
    ssize_t length = statm < 0 ? -1 : pread(statm, text, sizeof(text) - 1, 0);
    const char *second;
    uint64_t pages;

    if (length <= 0)
        return 0;
    text[length] = '\0';
    second = text + strcspn(text, " ");
    second += strspn(second, " ");
    if (text_to_number(second, strcspn(second, " "), UINT32_MAX, &pages) < 0)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A descriptor that is not open answers POLLNVAL; poll(2) is in every allowlist already. */
static uint64_t count_open_files(void)
{
    uint64_t count = 0;

    for (int first = 0; first < PROCESS_DESCRIPTORS_MAX; first += DESCRIPTORS_PER_POLL) {
        struct pollfd descriptors[DESCRIPTORS_PER_POLL] = {0};

        for (int i = 0; i < DESCRIPTORS_PER_POLL; i++)
            descriptors[i].fd = first + i;
        if (poll(descriptors, DESCRIPTORS_PER_POLL, 0) < 0)
            return 0;
        for (int i = 0; i < DESCRIPTORS_PER_POLL; i++)
            count += !(descriptors[i].revents & POLLNVAL);
    }
    return count;
}

void process_usage_read(struct process_usage *ret)
{
    struct timespec cpu = {0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu); /* cannot fail for this clock */
    *ret = (struct process_usage){
        .cpu_microseconds = (uint64_t)cpu.tv_sec * MICROSECONDS_PER_SECOND + (uint64_t)cpu.tv_nsec / 1000,
        .resident_bytes = read_resident_bytes(),
        .open_files = count_open_files(),
        .start_microseconds = start_microseconds,
    };
}
