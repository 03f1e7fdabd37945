/*
 * The rules for lists of sources and limits (GUEST-1, GUEST-3): a part of validate.c's table, and but for the last one
 * used by nobody else. Runs on both sides of the wall, without any privilege.
 *
 * Each takes a message whose length is right and returns NULL, or the rule that it breaks (static).
 */
#pragma once

#include "protocol/messages.h"

const char *check_guests(const void *message);
const char *check_guest_text(const void *message);

/* One of them alone; also of what netadmin reads in the kernel. */
const char *check_guest(const struct wire_guest *guest);
