/*
 * The connections of the gate: from a client to Docker, byte for byte where that is allowed, and back unread (WALL-7).
 *
 * Called by main.c's loop. Reads clients' bytes and copies Docker's; runs without any privilege but the group of
 * Docker's socket. Everything lies in fixed memory: no client can make it grow.
 */
#pragma once

#include "protocol/messages.h"

#include <poll.h>
#include <stdbool.h>

#define RELAY_LISTENERS   2 /* watcher and keeper */
#define RELAY_CONNECTIONS 4 /* of each: for events, and for questions, one at a time */
#define RELAY_POLLED      (RELAY_LISTENERS * (1 + 2 * RELAY_CONNECTIONS))

/* Takes the configuration, first of all. Returns 0 or a negative errno. */
int relay_configure(const struct message_configure_gate *configuration) __attribute__((warn_unused_result));

/* Takes `listener` over, a listening unix socket whose clients are `message`'s. Returns 0 or a negative errno. */
int relay_add_listener(const struct message_gate_listener *message, int listener) __attribute__((warn_unused_result));

/* What is to be waited for. */
void relay_prepare(struct pollfd polled[RELAY_POLLED], bool may_let_in);

/* What has come, as relay_prepare() asked for it. False: somebody waits, since descriptors or memory are short. */
bool relay_serve(const struct pollfd polled[RELAY_POLLED]);
