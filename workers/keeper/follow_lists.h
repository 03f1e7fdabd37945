/*
 * What an external-rebinder looks for in Docker's list of containers (LIFE-5): which one the follower is, and whether
 * somebody else on the network is still awaited.
 *
 * Called by follow.c, one question at a time. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/session.h"

struct follow_lists {
    struct session *session;
    const struct message_configure_keeper *configuration;
    char *project_filter, *service_filter; /* label=value */
    /* `reference`: an ID or a name, by which it may or may not be found. */
    void (*on_follower)(void *userdata, const char *reference);
    /* `container`: a name; empty: nobody is awaited. */
    void (*on_awaited)(void *userdata, const char *container);
    void *userdata;
    char found_id[DOCKER_ID_SIZE]; /* so far; empty: none */
    bool found_is_running;
    const char *follower_id; /* the caller's */
    char awaited[NAME_SIZE];
};

/* The rest of `lists` is the caller's to fill. Returns 0 or a negative errno. */
int follow_lists_prepare(struct follow_lists *lists) __attribute__((warn_unused_result));
void follow_lists_release(struct follow_lists *lists);

/*
 * Of a service of our own project, where that is known; if there is none, the container of that name. on_follower will
 * come, or the connection is lost.
 */
void follow_lists_find_follower(struct follow_lists *lists);

/*
 * A container that has a fixed address on the network, does not run and is not the follower: its address is free until
 * then, and Docker would give it to the follower. on_awaited will come, or the connection is lost; `follower_id` is
 * valid until then.
 */
void follow_lists_find_awaited(struct follow_lists *lists, const char *follower_id);
