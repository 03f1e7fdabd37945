/*
 * Everything that may be asked of Docker through the gate (WALL-7): one table, by client.
 *
 * Called by request.c for each request. Pure, runs without any privilege. Nothing of what a client wrote is passed on:
 * the request line is written anew from the table, and the values in it only after they have been found to be what they
 * must be.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>
#include <stddef.h>

#define GATE_BUFFER_SIZE 16384

/* What is between `begin` and `end` is still to be sent. */
struct gate_buffer {
    size_t begin;
    size_t end;
    char bytes[GATE_BUFFER_SIZE + 1]; /* one for the NUL that ends a client's */
};

enum gate_body {
    GATE_BODY_NOT_SAID, /* of a GET */
    GATE_BODY_NONE,     /* but its length is said */
    GATE_BODY_JSON,
};

/*
 * Is the request line `line`, which CR LF ends, one of the table's? True: it is all that is in `ret`, as Docker gets
 * it, and *ret_body tells what may follow. False: what is in `ret` means nothing.
 */
bool table_match(enum gate_client client, const struct message_configure_gate *scope, const char *line,
                 struct gate_buffer *ret, enum gate_body *ret_body);
