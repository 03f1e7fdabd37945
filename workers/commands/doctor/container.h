/*
 * What `anchord doctor` reads of a container, and whether the network namespace that it lives in is dead (SPEC §9).
 *
 * Used by survey.c and remedy.c. Pure, reads foreign bytes, no privilege. Fields: API 1.41 … 1.52, ContainerInspect. Of
 * a container's environment nothing is read.
 */
#pragma once

#include "workers/docker/records.h"

/* A longer list of paths counts as none. */
#define PATH_LIST_SIZE 4096

/* Who made a container, by the labels that Compose puts on it. All empty: not Compose, or nothing that it can use. */
struct compose_origin {
    char project[NAME_SIZE];
    char service[NAME_SIZE];
    char working_directory[PATH_LIST_SIZE];
    char files[PATH_LIST_SIZE];             /* with commas between them */
    char environment_files[PATH_LIST_SIZE]; /* as well */
};

struct container {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    char status[16];        /* running, exited … */
    bool is_running;        /* paused and restarting ones, too */
    bool should_run;        /* it runs, was never started, or Docker could not start it; else somebody stopped it */
    uint64_t started;       /* nanoseconds since 1970; 0: never */
    char joined[NAME_SIZE]; /* network_mode: container:THIS, an ID or a name; else empty */
    struct compose_origin origin;
};

/* Reads `document`. Returns 0, or -EBADMSG with *ret_reason (static storage) saying what is odd. */
int container_read(const struct docker_document *document, struct container *ret, const char **ret_reason)
    __attribute__((warn_unused_result));

enum namespace_fate {
    NAMESPACE_ALIVE,
    NAMESPACE_GONE,      /* its owner does not exist any more */
    NAMESPACE_STOPPED,   /* its owner does not run: the links are gone */
    NAMESPACE_UNKNOWN,   /* one of the two was started in the future: the clock was set back, and nobody can tell */
    NAMESPACE_RESTARTED, /* its owner was started after the container: same ID, another namespace */
};

/* `owner`: the container that `dependent` joined, NULL when there is none. `now`: nanoseconds since 1970. */
enum namespace_fate container_judge(const struct container *dependent, const struct container *owner, uint64_t now);
