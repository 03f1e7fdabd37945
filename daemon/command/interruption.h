/*
 * Ctrl-C, and what else asks a command to end, as a question that it asks where it can leave nothing half-made
 * (HOST-1).
 *
 * Used by the commands attach and detach, as root.
 */
#pragma once

#include <stdbool.h>

/* From now on SIGINT, SIGTERM and SIGHUP only answer the questions below. */
void interruption_begin(void);

/* Waits so long, or until it is asked to end. Returns whether it has been, now or earlier. */
bool interruption_wait(unsigned int milliseconds);
