/*
 * The machine as attached projects know it: the same for both halves, the commands, and each start.
 *
 * Used by attach_host.c, in the supervisor, and by the command `anchord detach`.
 */
#pragma once

#include "daemon/supervise/attached_identity.h"

/* Returns 0, or a negative errno: the machine has no ID (machine-id(5)). */
int attached_machine_read(uint8_t ret[MACHINE_ID_LENGTH]) __attribute__((warn_unused_result));
