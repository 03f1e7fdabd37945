/*
 * What became of each container's labels, as people read it: exposed, refused, malformed (SPEC §9, NAT-6, DISC-3,
 * DISC-7), and whose replies do not come back (DISC-8); first of all, whether Docker can be read and what is wrong with
 * the external network.
 *
 * Called by watcher.c for control. Pure; no privilege.
 */
#pragma once

#include "protocol/findings_sender.h"
#include "workers/watcher/container_table.h"
#include "workers/watcher/exposures.h"
#include "workers/watcher/external_advice.h"
#include "workers/watcher/path_survey.h"
#include "workers/watcher/watch.h"

/*
 * Tells `handler` of one finding after the other, at most FINDINGS_MAX: a thousand of them at once would be half a
 * megabyte. The same input gives the same findings in the same order. Returns 0 or what the handler returned.
 */
int findings_tell(const struct container_table *table, const struct exposure_result *computed,
                  const struct path_survey *survey, const struct watch_absence *absence,
                  const struct external_advice *external, finding_handler handler, void *userdata)
    __attribute__((warn_unused_result));

/* As findings_tell() before Docker was read for the first time: that it cannot be, and nothing else. */
int findings_tell_absence(const struct watch_absence *absence, finding_handler handler, void *userdata)
    __attribute__((warn_unused_result));
