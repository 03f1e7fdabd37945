/*
 * Whether an address is that of a project that is attached on this host, which no question to the LAN would tell: a
 * host does not hear its own macvlan links. It has a route to each of their addresses (HOST-7).
 *
 * Used by attach_checks.c, as whoever typed the command; reads /proc and /sys.
 */
#pragma once

#include "protocol/messages_parts.h"

#include <stdbool.h>

/* Fills in the project, or, if nobody says, the link's name. */
bool attached_routes_find(const struct ip_address *address, char project[NAME_SIZE]);
