/*
 * What a worker, or `anchord doctor`, may still do once it talks to Docker.
 *
 * Called by watcher.c, keeper.c and doctor's main() after everything that opens files has happened and before the first
 * foreign byte.
 */
#pragma once

#include "workers/docker/host.h"

/* As sandbox_seal(): 0, or a negative errno with the failed step in *ret_step; the worker must end then. */
int docker_seal(const struct docker_host *host, const char **ret_step) __attribute__((warn_unused_result));
