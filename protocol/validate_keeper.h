/*
 * The rules of messages_keeper.h, for the table of validate.c. Runs on both sides of the wall, without any privilege.
 */
#pragma once

#include "protocol/messages.h"

/* As rule_check in validate.c: NULL, or the rule that is broken. */
const char *check_configure_keeper(const void *message);
const char *check_managed_target(const void *message);
