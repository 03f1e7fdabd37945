/*
 * Everything that anchord can do to Docker: a fixed vocabulary, each word with a deadline (SPEC §6).
 *
 * Called by the keeper's repairs. The only code that sends anything but a GET; no other program links it. Runs without
 * any privilege. Containers are named by ID. All return 0 (on_done will come) or a negative errno; on_done's error is
 * -ENOENT (no such container), -EEXIST (a name is taken), -EACCES (a socket proxy denies it), -EBADMSG or -EREMOTEIO
 * (Docker refuses), which command_was_answered() tells from a connection that was lost. What is so already is success.
 */
#pragma once

#include "workers/docker/client.h"

int command_rename(struct docker_client *client, const char *id, const char *name, docker_done_handler on_done,
                   void *userdata) __attribute__((warn_unused_result));

/* `policy` as JSON: {"Name":"unless-stopped","MaximumRetryCount":0}. */
int command_set_restart_policy(struct docker_client *client, const char *id, const char *policy,
                               docker_done_handler on_done, void *userdata) __attribute__((warn_unused_result));

/* `body` is that of ContainerCreate. The answer, {"Id": …}, is in `answer` after on_done; it must live until then. */
int command_create(struct docker_client *client, const char *name, const char *body, struct docker_document *answer,
                   docker_done_handler on_done, void *userdata) __attribute__((warn_unused_result));

int command_start(struct docker_client *client, const char *id, docker_done_handler on_done, void *userdata)
    __attribute__((warn_unused_result));

/* Both give the container `timeout` milliseconds, rounded up to seconds, before Docker kills it. */
int command_stop(struct docker_client *client, const char *id, uint32_t timeout, docker_done_handler on_done,
                 void *userdata) __attribute__((warn_unused_result));
int command_restart(struct docker_client *client, const char *id, uint32_t timeout, docker_done_handler on_done,
                    void *userdata) __attribute__((warn_unused_result));

/* Its volumes stay, anonymous ones too. One that runs is killed first. */
int command_remove(struct docker_client *client, const char *id, docker_done_handler on_done, void *userdata)
    __attribute__((warn_unused_result));

/*
 * Both name the network by ID. `configuration` is an EndpointSettings as JSON. What is so already is an error here,
 * since Docker has no status of its own for it: command_was_needless() tells it from others.
 */
int command_connect(struct docker_client *client, const char *network, const char *container, const char *configuration,
                    docker_done_handler on_done, void *userdata) __attribute__((warn_unused_result));
int command_disconnect(struct docker_client *client, const char *network, const char *container,
                       docker_done_handler on_done, void *userdata) __attribute__((warn_unused_result));

/* on_done's error and text say that the endpoint was there already, or that there was none to take away. */
bool command_was_needless(int error, const char *text);
/* They say that another endpoint has the address. */
bool command_met_used_address(int error, const char *text);

/* Docker said no, or yes; else nobody knows what it has done. */
bool command_was_answered(int error);
