/*
 * How the two halves of an attached project are run on this host: as units of systemd, where the package has installed
 * them (attach_units.h), else by Compose, with compose/attach.yaml, which this program holds in itself.
 *
 * Used by the commands attach and detach, as root.
 */
#pragma once

#include "daemon/command/child_process.h"

#include <limits.h>

#define RUNNER_PROBLEM_SIZE 256

enum attach_home {
    ATTACH_HOME_ANY, /* units, if there are */
    ATTACH_HOME_UNITS,
    ATTACH_HOME_COMPOSE,
};

struct attach_runner {
    bool is_units;
    /* else: */
    char program[PATH_MAX]; /* docker, with the plugin compose, or docker-compose */
    bool is_plugin;
};

/* Returns whether there is such a one, else `problem` says what to do. */
bool attach_runner_find(enum attach_home home, struct attach_runner *ret, char problem[RUNNER_PROBLEM_SIZE]);

/* What people call it: "Compose" or "systemd". */
const char *attach_runner_name(const struct attach_runner *runner);

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

/* The last lines that a container or unit has written. */
int attach_runner_log(const struct attach_runner *runner, const char *half, struct child_output *output)
    __attribute__((warn_unused_result));
