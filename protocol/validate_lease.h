/*
 * The rules for DHCP's messages: a part of validate.c's table, and used by nobody else. Runs on both sides of the wall,
 * without any privilege.
 *
 * Each takes a message whose length is right and returns NULL, or the rule that it breaks (static).
 */
#pragma once

const char *check_lease_event(const void *message);
const char *check_lease(const void *message);
const char *check_lease_applied(const void *message);
const char *check_external_link(const void *message);
