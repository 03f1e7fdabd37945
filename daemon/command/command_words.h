/*
 * What the commands attach, detach, list, ban and config say: foreign text in it colours no terminal and looks like no
 * other line.
 */
#pragma once

#include <stddef.h>

/* "anchord COMMAND: WHAT: WHY" on standard error. Returns the exit status of a command that could not do its work. */
int command_complain(const char *command, const char *what, const char *why);

/* A step that is done, on standard output at once: "started   anchord-shop-host-1". */
void command_say(const char *step, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last lines of what another program said, on standard error. */
void command_quote(const char *text, size_t lines);

/* A cell of a table on standard output, and the blank behind it. */
void command_column(const char *text, int width);
