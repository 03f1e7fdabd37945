/*
 * The plan as a Compose override, in the shape of compose/example.yaml.
 *
 * Called by main.c; pure but for the stream. Runs in anchord-wrap without any privilege.
 */
#pragma once

#include "workers/commands/wrap/plan.h"

#include <stdio.h>

/* Writes the whole file. Whether that worked says ferror(3) of the stream. */
void override_write(FILE *stream, const struct plan *plan);

/* Whether the override adds a network-anchor. */
bool override_adds(const struct plan *plan);

/* Writes what is to be run around the file, each line behind `start`. */
void override_commands(FILE *stream, const struct plan *plan, const char *start);

/*
 * What was decided about one service, in one line of printable ASCII without its end: what check.c compares.
 * Returns NULL without memory.
 */
const char *override_record(const struct plan *plan, const struct planned_service *planned);

/* How a record's line begins: `# wrapped "NAME": RECORD`. */
#define OVERRIDE_RECORD_START  "# wrapped \""
#define OVERRIDE_RECORD_MIDDLE "\": "
