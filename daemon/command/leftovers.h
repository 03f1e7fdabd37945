/*
 * What is left on this host of a project's attachment, by the names that are ours alone (HOST-8, WALL-9).
 *
 * Used by the command `anchord detach`, as root; changes nothing.
 */
#pragma once

#include <stddef.h>

struct leftovers {
    size_t found;
    size_t unseen; /* kinds of it that could not be looked for */
};

/* "the link anc0123abcdb0", and the line for a shell that takes it away; NULL: `what` could not be looked for, and why
 * stands in it. */
typedef void (*leftover_handler)(const char *what, const char *remedy, void *userdata);

/* Calls it for each, unless it is NULL. */
struct leftovers leftovers_find(const char *project, leftover_handler handler, void *userdata);
