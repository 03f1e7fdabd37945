/*
 * The job of an external-rebinder (LIFE-5): one container, the follower, stays on a network that belongs to another
 * project, although that project removes it and makes it anew, and never keeps that project from doing so.
 *
 * Called by keeper.c. Level-triggered: each look reads follower and network anew, at the start, at Docker's events, and
 * every poll interval; one action at a time. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/session.h"

struct follow;

/* `session` and `configuration` must outlive it. Before the sandbox is sealed. Returns 0 or a negative errno. */
int follow_new(sd_event *event, struct session *session, const struct message_configure_keeper *configuration,
               struct follow **ret) __attribute__((warn_unused_result));
struct follow *follow_free(struct follow *follow);
DEFINE_POINTER_CLEANUP(struct follow, (void)follow_free, follow_freep);

/* A new control, to be told when the follower cannot be helped; owns `fd`. Returns 0 or a negative errno. */
int follow_link_control(struct follow *follow, int fd) __attribute__((warn_unused_result));

/* As in struct session_callbacks. */
void follow_on_connected(struct follow *follow);
void follow_on_lost(struct follow *follow);
void follow_on_event(struct follow *follow, const struct docker_event *event);
