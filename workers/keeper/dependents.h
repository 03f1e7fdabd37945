/*
 * The containers of the scope that live in another one's network namespace, and what is done about them: by a
 * wrap-rebinder each is there again after that one was restarted or recreated (LIFE-6), by a network-anchor those that
 * wait are started and those that are lost reported (LIFE-1, LIFE-4; sibling.h). Besides them the managed
 * service-anchors of a network-anchor, and what was pinned to those that it replaced (LIFE-2, LIFE-3; managed.h).
 *
 * Called by keeper.c. Level-triggered: each look reads everything anew, at the start, after events, and every poll
 * interval; one container after the other, one repair at a time. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/managed.h"
#include "workers/keeper/session.h"

struct dependents;

/* `session`, `configuration` and `managed`, to which more may be added later, must outlive it. Before the sandbox is
 * sealed. Returns 0 or a negative errno. */
int dependents_new(sd_event *event, struct session *session, const struct message_configure_keeper *configuration,
                   struct managed_set *managed, struct dependents **ret) __attribute__((warn_unused_result));
struct dependents *dependents_free(struct dependents *dependents);
DEFINE_POINTER_CLEANUP(struct dependents, (void)dependents_free, dependents_freep);

/* A new control, to be told what cannot be repaired; owns `fd`. Returns 0 or a negative errno. */
int dependents_link_control(struct dependents *dependents, int fd) __attribute__((warn_unused_result));

/* Where our own container is to be found; may come at any time, and again. */
void dependents_set_topology(struct dependents *dependents, const struct message_topology *topology);

/* As in struct session_callbacks. */
void dependents_on_connected(struct dependents *dependents);
void dependents_on_lost(struct dependents *dependents);
void dependents_on_event(struct dependents *dependents, const struct docker_event *event);
