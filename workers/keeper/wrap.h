/*
 * The containers of the scope that live in another one's network namespace, and what is done about them: by a
 * wrap-rebinder each is there again after that one was restarted or recreated (LIFE-6), by a network-anchor those that
 * wait are started and those that are lost reported (LIFE-1, LIFE-4; sibling.h).
 *
 * Called by keeper.c. Level-triggered: each look reads everything anew, at the start, after events, and every poll
 * interval; one container after the other, one repair at a time. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/session.h"

struct wrap;

/* `session` and `configuration` must outlive it. Before the sandbox is sealed. Returns 0 or a negative errno. */
int wrap_new(sd_event *event, struct session *session, const struct message_configure_keeper *configuration,
             struct wrap **ret) __attribute__((warn_unused_result));
struct wrap *wrap_free(struct wrap *wrap);
DEFINE_POINTER_CLEANUP(struct wrap, (void)wrap_free, wrap_freep);

/* A new control, to be told what cannot be repaired; owns `fd`. Returns 0 or a negative errno. */
int wrap_link_control(struct wrap *wrap, int fd) __attribute__((warn_unused_result));

/* As in struct session_callbacks. */
void wrap_on_connected(struct wrap *wrap);
void wrap_on_lost(struct wrap *wrap);
void wrap_on_event(struct wrap *wrap, const struct docker_event *event);
