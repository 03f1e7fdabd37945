/*
 * From the bytes of a finished Compose file, as `docker compose config --format json` prints it, to what is wrong with
 * it (SEE-2).
 *
 * Called by files_check.c, which has given every privilege up, and by the fuzz target. Pure; anybody may have written
 * the file.
 */
#pragma once

#include "workers/commands/doctor/files_model.h"

/*
 * Tells *report of each finding. Returns the number of services; -EBADMSG or -EMSGSIZE with *ret_error saying what is
 * wrong and where; or -ENOMEM. `bytes` must outlive the arena.
 */
int files_examine(struct arena *arena, const char *bytes, size_t length, const struct files_report *report,
                  struct json_tree_error *ret_error) __attribute__((warn_unused_result));
