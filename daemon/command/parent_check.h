/*
 * Whether an interface of this host can be the parent of an attached project (HOST-1), and whether addresses fit to it.
 *
 * Used by attach_command.c, as whoever types the command; reads /sys and the host's addresses, changes nothing.
 */
#pragma once

#include "common/address.h"

#include <stdbool.h>

#define PARENT_PROBLEM_SIZE 256

/* Writes what is wrong, and the way out; returns whether nothing is. */
bool parent_check_interface(const char *name, char problem[PARENT_PROBLEM_SIZE]);

/* `given` is to be inside one of its networks, and not the host's own. */
bool parent_check_address(const char *name, const struct ip_subnet *given, char problem[PARENT_PROBLEM_SIZE]);

/* `network`, which is to be reached by the host, is to have nothing of the LAN in it. */
bool parent_check_behind(const char *name, const struct ip_subnet *network, char problem[PARENT_PROBLEM_SIZE]);
