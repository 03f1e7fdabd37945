/*
 * The rule for what the announcer tells of routers: a part of validate.c's table, and used by nobody else. Runs on both
 * sides of the wall, without any privilege.
 *
 * Takes a message whose length is right and returns NULL, or the rule that it breaks (static).
 */
#pragma once

const char *check_advertised(const void *message);
