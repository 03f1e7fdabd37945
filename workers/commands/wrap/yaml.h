/*
 * Strings from outside as YAML, and as words in a comment or on a terminal.
 *
 * Used by override.c and the findings; pure, no privilege. Only ever written: nothing here reads YAML.
 */
#pragma once

#include <stdio.h>

/*
 * Writes `text` as one double-quoted scalar (YAML 1.2 §7.3.1), ASCII only: everything that YAML or a terminal could
 * take for something else is escaped. Bytes that are no UTF-8 become U+FFFD. A `$` stays: what Compose printed has its
 * dollars doubled already.
 */
void yaml_write_quoted(FILE *stream, const char *text);

/* Writes `text` in printable ASCII without quotes, a question mark for each byte that is not. */
void yaml_write_plain(FILE *stream, const char *text);
