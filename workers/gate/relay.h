/*
 * The connections of the gate: from a client to Docker, byte for byte where that is allowed, and back unread (WALL-7).
 *
 * Called by main.c's loop with what epoll reports. Reads clients' bytes and copies Docker's; runs without any privilege
 * but the group of Docker's socket. Everything lies in fixed memory: no client can make it grow.
 */
#pragma once

#include "protocol/messages.h"

#include <sys/epoll.h>

/* Takes the configuration and the epoll descriptor. Returns 0 or a negative errno; call it once. */
int relay_configure(int epoll, const struct message_configure_gate *configuration) __attribute__((warn_unused_result));

/* Takes `listener` over, a listening unix socket whose clients are `message`'s. Returns 0 or a negative errno. */
int relay_add_listener(const struct message_gate_listener *message, int listener) __attribute__((warn_unused_result));

/* Does somebody wait because descriptors or memory were short? */
bool relay_is_short(void);

/* Now and then: what was short may be there again. */
void relay_look_again(void);

/* Something that relay.c watches is ready. `key` is epoll's data; keys begin at RELAY_KEY_FIRST. */
#define RELAY_KEY_FIRST 16
void relay_on_ready(uint32_t key, uint32_t events);
