/*
 * One message from a socket between two of our processes, before anything acts on it.
 *
 * Called by protocol/channel.c, and by anchord-gate, which has no channel of that kind. Links no library, needs no
 * privilege.
 */
#pragma once

#include "protocol/messages.h"

/*
 * Receives without waiting. Returns 1: *ret_message has passed message_validate(), and is valid until the next call;
 * *ret_descriptor is the one that came with it, or -1, and the caller's. 0: nothing is there now. -ENODATA: the peer
 * has closed the connection. Another negative errno: it broke the protocol. *ret_reason says which rule.
 */
int datagram_receive(int fd, enum message_direction direction, const struct message_header **ret_message,
                     int *ret_descriptor, const char **ret_reason) __attribute__((warn_unused_result));
