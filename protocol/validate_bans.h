/* The rules for bans (GUEST-2); see validate.c. No privilege. A check returns NULL, or the rule that is broken. */
#pragma once

#include "protocol/messages.h"

/* Also for what a line of the file says, and what somebody types. */
const char *check_ban(const struct wire_ban *ban);

const char *check_configure_bans(const void *message);
const char *check_ban_listener(const void *message);
const char *check_bans(const void *message);
const char *check_bans_applied(const void *message);
const char *check_ban_request(const void *message);
const char *check_ban_answer(const void *message);
const char *check_bans_listed(const void *message);
