/*
 * Where Docker listens, and what TLS needs for it, as the environment says, which the command has made.
 *
 * Used by stale_netns.c and docker_look.c before they give up what they may. Opens files, no socket.
 */
#pragma once

#include "workers/docker/host.h"

#define DOCKER_ACCESS_TEXT_SIZE 256

struct docker_access {
    struct docker_host host;
    struct docker_credentials credentials;
};

void docker_access_release(struct docker_access *access);

/*
 * DOCKER_HOST and DOCKER_CERT_PATH. Returns 0, or a negative errno with *ret_what (static storage) and `text`: what is
 * wrong with it. `ret` stays where it is, and is released by the caller.
 */
int docker_access_read(struct docker_access *ret, const char **ret_what, char text[DOCKER_ACCESS_TEXT_SIZE])
    __attribute__((warn_unused_result));
