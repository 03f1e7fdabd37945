/*
 * What the calling process uses of the machine, asked of the kernel without opening a file.
 *
 * Used by protocol/metrics.c in every process, also behind the seccomp filter; needs no privilege. There is no system
 * call for the memory in use, only for its peak (getrusage(2), which counts the program before exec too): so one
 * descriptor of /proc/self/statm is opened before the sandbox is sealed and read again at each question.
 */
#pragma once

#include <stdint.h>

struct process_usage {
    uint64_t cpu_microseconds;   /* user and system time */
    uint64_t resident_bytes;     /* 0 where there is no /proc */
    uint64_t open_files;         /* descriptors below PROCESS_DESCRIPTORS_MAX; none of ours has a higher one */
    uint64_t start_microseconds; /* CLOCK_REALTIME, of process_usage_prepare() */
};

#define PROCESS_DESCRIPTORS_MAX 128

/* Opens what process_usage_read() will need, at the first call; sandbox_seal() calls it at the latest. */
void process_usage_prepare(void);

void process_usage_read(struct process_usage *ret);
