/*
 * What Docker takes for the name of a container and Compose for that of a project or service. A label may say anything.
 *
 * Used where such a name becomes part of a command for people (doctor, keeper) or of JSON (keeper). Pure, no privilege.
 */
#pragma once

#include <stdbool.h>

/* Letters, digits, `_`, `.` and `-`, and no `-` first: nothing for a shell, no option, nothing that JSON escapes. */
bool plain_name_is_valid(const char *text);
