/*
 * Everything that may be asked of Docker through the gate (WALL-7): one table, by client.
 *
 * Called by request.c for each request. Pure, runs without any privilege. Nothing of what a client wrote is passed on:
 * the path is written anew from the table, and the values in it only after they have been found to be what they must
 * be.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

/* The longest legal path: a scope's labels and 64 IDs. */
#define GATE_PATH_SIZE 15360

struct gate_match {
    bool has_body;
    size_t length;
    char path[GATE_PATH_SIZE]; /* as Docker gets it; not terminated */
};

/*
 * Is it one of the table's? `path` is everything between the two blanks of the request line. True: *ret is filled.
 */
bool table_match(enum gate_client client, const struct message_configure_gate *scope, const char *method,
                 size_t method_length, const char *path, size_t path_length, struct gate_match *ret);
