/*
 * Where Docker listens: DOCKER_HOST as a value.
 *
 * Called by docker_client_new() and by a worker's main() before it seals itself (the kind decides which
 * sockets it may open). Pure; runs without any privilege.
 */
#pragma once

#include "workers/docker/credentials.h"

#include <stdbool.h>
#include <stdint.h>

/* sizeof(sockaddr_un.sun_path), unix(7) */
#define DOCKER_SOCKET_PATH_SIZE 108
/* The port of an engine or a socket proxy without TLS (IANA: docker, 2375). */
#define DOCKER_PORT_DEFAULT 2375

enum docker_host_kind {
    DOCKER_HOST_UNIX = 1,
    DOCKER_HOST_TCP,
};

struct docker_host {
    enum docker_host_kind kind;
    char path[DOCKER_SOCKET_PATH_SIZE]; /* unix */
    char name[DOCKER_HOST_SIZE];        /* tcp: a host name or an address, an IPv6 one without its brackets */
    bool name_is_address;               /* nothing to resolve */
    uint16_t port;
    const struct docker_credentials *credentials; /* of TLS, set by the caller and outliving the host; NULL: none */
};

/*
 * Parses `unix:///path` or `tcp://name[:port]` (`tcp://[v6]:port`). Returns 0, or -EINVAL with *ret_reason
 * (static storage) saying what is wrong; *ret is untouched then.
 */
int docker_host_parse(const char *text, struct docker_host *ret, const char **ret_reason)
    __attribute__((warn_unused_result));
