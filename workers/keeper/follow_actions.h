/*
 * What an external-rebinder does to the follower: leave the network, join it anew, restart (LIFE-5).
 *
 * Called by follow.c, one action at a time, when a look has found that something is to be done; tells it how that ended
 * and knows nothing of looks. Runs without any privilege.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/keeper/endpoint.h"
#include "workers/keeper/session.h"

enum follow_action_end {
    FOLLOW_ACTION_JOINED, /* and restarted, where that was to be */
    FOLLOW_ACTION_LEFT,
    FOLLOW_ACTION_FAILED,
};

struct follow_action {
    struct session *session;
    const struct message_configure_keeper *configuration;
    /* What it acts on: the look's, valid until on_end or the end of the connection. */
    const struct inspection *follower;
    const struct endpoint *endpoint;
    const struct network_view *network;
    const char *configured; /* what the endpoint had, as JSON; NULL: unknown */
    /* Follows every action, unless the connection is lost. `what`: what cannot be done, `text`: why. */
    void (*on_end)(void *userdata, enum follow_action_end end, const char *what, int error, const char *text);
    void *userdata;
    bool has_restarted; /* it; written here, and read by on_end */
};

/* Away from a stale endpoint first, and restarts it if that is asked for. `reason` as the log says it. */
void follow_action_rejoin(struct follow_action *action, const char *reason);
void follow_action_leave(struct follow_action *action);
void follow_action_restart(struct follow_action *action, const char *reason);
