/*
 * How a question to Docker is put; see client.h. For client.c and for the keeper's commands (workers/keeper/command.c),
 * which make of a GET what they need. Runs without any privilege.
 */
#pragma once

#include "workers/docker/client.h"
#include "workers/docker/transport.h"

struct docker_question {
    const char *path;             /* with the API version, from the slash on */
    struct docker_parser *parser; /* taken over, also on failure; NULL: the answer's body does not matter */
    bool is_stream;
    /* As in struct transport_request. */
    const char *method;
    transport_arrangement arrange;
    void *arrange_userdata;
    uint32_t timeout_milliseconds;
    docker_done_handler on_done;
    void *userdata;
};

/* Puts it. Returns 0 (on_done will come) or a negative errno. */
int docker_client_ask(struct docker_client *client, const struct docker_question *question)
    __attribute__((warn_unused_result));

/* /v1.41, `path` and the three parts in a row; the caller frees. NULL without memory. */
char *docker_client_make_path(const struct docker_client *client, const char *path, const char *argument,
                              const char *more, const char *more_argument);
