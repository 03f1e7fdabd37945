/*
 * Has a project changed since its override was made? Compares the records in that file with those of today.
 *
 * Called by main.c for `anchord wrap --check FILE`. Reads only the comment lines that override.c wrote, no YAML.
 * Pure; runs in anchord-wrap without any privilege.
 */
#pragma once

#include "workers/commands/wrap/plan.h"

#include <stdio.h>

#define CHECK_FILE_BYTES_MAX ((size_t)4 * 1024 * 1024)

/*
 * Writes one line to `stream` for each service that came, went or changed. `file` ends in NUL; it is cut into lines.
 * Returns their number, -ENODATA when the file holds no records, -EEXIST when the project holds a network-anchor
 * already, or -ENOMEM.
 */
int check_compare(const struct plan *plan, char *file, FILE *stream) __attribute__((warn_unused_result));
