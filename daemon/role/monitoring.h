/*
 * Metrics and health as the supervisor sees them: the pages, the listening socket and the worker that serves them.
 *
 * Used by the supervisors of all roles, as root. Nothing here is ever fatal: without metrics the project still answers.
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "daemon/role/control_worker.h"

struct monitoring;

/*
 * With ANCHORD_METRICS_ADDR not empty: opens the pages (before any worker is started) and listens; a port that is taken
 * is tried again. `required`: enum readiness_condition that /readyz waits for, none of which holds yet. Returns NULL
 * with an empty address or, logged, on failure.
 */
struct monitoring *monitoring_new(sd_event *event, const struct configuration *configuration, uint32_t required);

/* Has `control` list the exporter among the workers, and `netadmin` asked for what it counts when the exporter is; each
 * may be NULL. Before control_worker_start(). */
void monitoring_show(struct monitoring *monitoring, struct control_worker *control, struct worker *netadmin);

/* Starts the exporter, when there is a listener: who asks before that waits. Once is enough; NULL: there is none. */
void monitoring_start(struct monitoring *monitoring);

/* Ends the exporter: the last of the workers, since it holds nothing and serves until then. */
struct monitoring *monitoring_free(struct monitoring *monitoring);
DEFINE_POINTER_CLEANUP(struct monitoring, (void)monitoring_free, monitoring_freep);
