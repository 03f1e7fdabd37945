/*
 * What is left on this host of a project's attachment, by the names that are ours alone (HOST-8, WALL-9).
 *
 * Used by the command `anchord detach`, as root; changes nothing.
 */
#pragma once

#include <stddef.h>

/* "the link anc0123abcdb0", and the line for a shell that takes it away. */
typedef void (*leftover_handler)(const char *what, const char *remedy, void *userdata);

/* Calls it for each, unless it is NULL. Returns their number. A machine without an ID (machine-id(5)), which all of
 * their names are made of, has none. */
size_t leftovers_find(const char *project, leftover_handler handler, void *userdata);
