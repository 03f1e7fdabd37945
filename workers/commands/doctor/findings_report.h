/*
 * What `anchord doctor stale-netns` prints.
 *
 * Called by main.c, on standard output. No privilege. Foreign text cannot colour the terminal or look like a line of
 * ours; of a container only ID, name, state, and what Compose's labels say, are shown.
 */
#pragma once

#include "workers/commands/doctor/findings.h"

/* For people. Returns 0 or a negative errno. */
int findings_print_text(const struct findings *findings) __attribute__((warn_unused_result));

/* The same as one JSON object, with what could not be looked at (packaging/man/anchord.1). */
int findings_print_json(const struct findings *findings) __attribute__((warn_unused_result));
