/*
 * The exporter as a whole: its conversation with the supervisor, the pages that it reads, the server that shows them.
 *
 * Called by main.c in anchord-exporter, without any privilege.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct exporter;

/*
 * Joins `event` with the supervisor's socket (SUPERVISOR_DESCRIPTOR). The sandbox is sealed when the listening socket
 * has come, before the first client is heard. Returns 0 or a negative errno; *ret is untouched on failure.
 */
int exporter_new(sd_event *event, struct exporter **ret) __attribute__((warn_unused_result));
struct exporter *exporter_free(struct exporter *exporter);
DEFINE_POINTER_CLEANUP(struct exporter, (void)exporter_free, exporter_freep);
