/*
 * Starts the program of a worker: fork, step down, exec (DESIGN §1).
 *
 * Called by worker.c, in the supervisor. What the new program has is decided here and nowhere else: descriptors 0
 * (/dev/null), 1 and 2 (the log), 3 (its supervisor); PATH and, under systemd, JOURNAL_STREAM; default signals; its
 * own process group, so that a terminal's Ctrl-C reaches the supervisor alone.
 */
#pragma once

#include "daemon/privileges.h"

struct spawn_request {
    const char *program;  /* absolute path */
    const char *name;     /* argv[0], and the name in the log */
    const char *argument; /* argv[1], or NULL */
    struct worker_privileges privileges;
    int supervisor_fd; /* the worker's end of the channel; stays the caller's */
};

/*
 * Returns 0 with the child's PID, or a negative errno when fork failed. What fails in the child is logged there and
 * ends it: EXIT_STATUS_SANDBOX for a privilege, EXIT_STATUS_CRASH for exec.
 */
int spawn_worker(const struct spawn_request *request, pid_t *ret_pid) __attribute__((warn_unused_result));
