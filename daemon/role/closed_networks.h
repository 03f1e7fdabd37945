/*
 * Which Docker networks the guard of an attached project closes, kept for the time after a boot (HOST-6): until Docker
 * runs and has told, nobody else knows them.
 *
 * Used by attach_host.c in the supervisor, as root. The file is in the unit's state directory, $STATE_DIRECTORY
 * (systemd.exec(5)); without one, as in a container, nothing is kept.
 */
#pragma once

#include "protocol/messages.h"

/* Returns whether there are some; what is wrong with the file is said, and then it is as if there were none. */
bool closed_networks_read(struct message_bridges *ret);

/* Whole or not at all; a failure is said. */
void closed_networks_write(const struct message_bridges *message);
