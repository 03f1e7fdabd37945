/*
 * May the gate's user connect to Docker's unix socket, and by which group? (DESIGN §6)
 *
 * Called by worker.c before each start of the gate, as root; only looks (stat), never connects.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum docker_socket_verdict {
    DOCKER_SOCKET_REMOTE,      /* DOCKER_HOST is tcp://: there is nothing to look at */
    DOCKER_SOCKET_OPEN_TO_ALL, /* everybody may connect */
    DOCKER_SOCKET_BY_GROUP,    /* by `group` as a supplementary group */
    DOCKER_SOCKET_ABSENT,      /* not there yet: whoever asks keeps trying */
    DOCKER_SOCKET_REFUSED,     /* nobody without root's privileges may; `remedy` says more */
};

struct docker_socket {
    enum docker_socket_verdict verdict;
    gid_t group;
    bool group_is_root; /* taken, with a warning */
    const char *path;   /* part of the DOCKER_HOST given */
    mode_t mode;
    uid_t owner;
    const char *remedy; /* what is wrong and what to do; static */
};

/* docker_host: unix:///path or tcp://name:port. */
struct docker_socket docker_socket_examine(const char *docker_host);

/* The rule alone: what `status`, of the socket, means for a user that owns nothing. */
struct docker_socket docker_socket_judge(const struct stat *status);
