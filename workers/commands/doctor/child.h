/*
 * Functions and programs that run beside main's process and answer by a pipe, all at once, each with a time limit.
 *
 * Used by gather.c and runner.c. What a child leaves behind is its output and how it ended; who is late is killed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    int output; /* -1: it is over */
    uint64_t deadline;
    size_t limit;
    char *bytes; /* what it has said */
    size_t length, capacity;
    int error;  /* 0; -ETIMEDOUT; -EFBIG; -ECHILD, it was killed; or what reading failed with */
    int status; /* its exit status, without an error */
};

/* Starts `function`, which writes to `output` and returns the exit status. Returns 0 or a negative errno. */
int child_start(struct child *child, int (*function)(void *userdata, int output), void *userdata, unsigned int seconds,
                size_t limit) __attribute__((warn_unused_result));

/* Reads all of them to their end. */
void children_finish(struct child *children, size_t count);

void child_release(struct child *child);
