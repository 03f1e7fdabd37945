/*
 * Starts a program as a child with less: fork, step down, exec (DESIGN §1).
 *
 * Called by child.c, in the supervisor. What the new program has is decided here and nowhere else:
 * descriptors 0 (/dev/null), 1 and 2 (the log, or a pipe), 3 (its supervisor) or none; PATH and, under systemd,
 * JOURNAL_STREAM; default signals; its own process group, so that a terminal's Ctrl-C reaches the supervisor alone.
 */
#pragma once

#include "build_information.h"
#include "daemon/supervise/privileges.h"

#include <sys/resource.h>

/* The program variant that the tests start has another directory; the product never asks the environment. */
#ifndef ANCHORD_WORKER_DIRECTORY
#define ANCHORD_WORKER_DIRECTORY ANCHORD_LIBEXEC_DIRECTORY
#endif

struct spawn_limit {
    int resource; /* RLIMIT_…, see getrlimit(2) */
    rlim_t value;
};

struct spawn_request {
    const char *program;    /* absolute path */
    char *const *arguments; /* argv, with the name in the log first; NULL-terminated */
    struct worker_privileges privileges;
    int supervisor_fd;     /* a worker's end of the channel, or -1: a foreign program; stays the caller's */
    int output_fd;         /* where 1 of a foreign program leads, or -1: as ours; stays the caller's */
    int error_fd;          /* and its 2 */
    const char *directory; /* where it runs, or NULL: as ours */
    const struct spawn_limit *limits;
    size_t limit_count;
    bool ignores_requests; /* SIGUSR1 and SIGHUP, until it handles them: by default they would end it as it begins */
};

/*
 * Returns 0 with the child's PID, or a negative errno when fork failed. What fails in the child is logged there and
 * ends it: EXIT_STATUS_SANDBOX for a privilege, EXIT_STATUS_CRASH for exec.
 */
int spawn_program(const struct spawn_request *request, pid_t *ret_pid) __attribute__((warn_unused_result));
