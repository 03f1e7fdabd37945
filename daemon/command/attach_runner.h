/*
 * How the two halves of an attached project are run on this host: by Compose, with compose/attach.yaml, which this
 * program holds in itself.
 *
 * Used by the commands attach and detach, as root.
 */
#pragma once

#include "daemon/command/child_process.h"

#include <limits.h>

#define RUNNER_PROBLEM_SIZE 256

struct attach_runner {
    char program[PATH_MAX]; /* docker, with the plugin compose, or docker-compose */
    bool is_plugin;
};

/*
 * Chooses. So far there is Compose alone; where units of anchord's are installed (HOST-11) this is where they are to be
 * preferred. Returns whether there is one, else `problem` says what to do.
 */
bool attach_runner_find(struct attach_runner *ret, char problem[RUNNER_PROBLEM_SIZE]);

/*
 * Each with the project's file, if there is one, to its end. Returns 0, or a negative errno with what was said in
 * `output`: -EINTR when the command is to end, -ETIME when it took too long, -ECHILD when it failed.
 */
int attach_runner_up(const struct attach_runner *runner, const char *project, const char *image,
                     struct child_output *output) __attribute__((warn_unused_result));
/* Starts again what stands still, as it is. */
int attach_runner_start(const struct attach_runner *runner, const char *project, struct child_output *output)
    __attribute__((warn_unused_result));
/* Goes on when the command is asked to end. */
int attach_runner_down(const struct attach_runner *runner, const char *project, struct child_output *output)
    __attribute__((warn_unused_result));

/* The last lines that a container has written. */
int attach_runner_log(const struct attach_runner *runner, const char *container, struct child_output *output)
    __attribute__((warn_unused_result));
