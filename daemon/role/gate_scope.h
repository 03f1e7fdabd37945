/*
 * What the supervisor pins of a request to Docker, percent-encoded as libcurl writes it, so that the gate only compares
 * bytes (WALL-7).
 *
 * Called by gate_worker.c. Pure, runs in the supervisor.
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "protocol/messages.h"

/* Fills the texts of *ret, which is all zero before. `own_id`: of the container that we run in; "": not known. */
void gate_scope_write(const struct configuration *configuration, const char *own_id,
                      struct message_configure_gate *ret);
