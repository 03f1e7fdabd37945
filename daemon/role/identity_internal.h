/*
 * What identity.c and identity_stop.c have in common: an identity's supervisor, and its end.
 *
 * Runs in the supervisor, as root.
 */
#pragma once

#include "daemon/dhcp/dhcp.h"
#include "daemon/role/bans_worker.h"
#include "daemon/role/identity.h"
#include "daemon/role/monitoring.h"

struct identity {
    const struct configuration *configuration;
    const struct identity_openings *openings;
    const struct identity_role *role;
    sd_event *event;
    struct worker_definition definitions[IDENTITY_WORKER_MAX_];
    struct worker *workers[IDENTITY_WORKER_MAX_];
    uint32_t conditions[IDENTITY_WORKER_MAX_]; /* enum readiness_condition, of each worker */
    bool is_own_wanted;
    struct bans_activation bans;
    bool is_shown;            /* control was started */
    bool watcher_was_started; /* by the first start of the gate: one that may not is found out before anything else */
    bool others_were_started; /* by the first start of a watcher */
    bool late_were_started;   /* control and exporter */
    sd_event_source *late_timer;
    struct readiness readiness;
    struct monitoring *monitoring; /* NULL: no metrics */
    struct dhcp *dhcp;             /* NULL: another address mode */
    enum stop_mode stop_mode;      /* of those that change, at the end of all */
    bool own_knows_all;            /* the role's own worker: what it has to undo (READINESS), since its start */
    bool is_gathering;             /* asked to stop; that is awaited */
    bool was_gathered;             /* the worker did not finish to undo, and was started once more */
    sd_event_source *gather_timer;
    bool is_stopping;
    int exit_status;
};

enum identity_worker identity_index_of(const struct identity *identity, const struct worker *worker);

/* --- identity_stop.c ---------------------------------------------------------------------------------- */

/* What a stop leaves in the kernel is this worker's business. */
bool identity_changes_kernel(const struct identity *identity, enum identity_worker index);

/* Before the loop. Returns 0 or a negative errno. */
int identity_stop_prepare(struct identity *identity) __attribute__((warn_unused_result));

/* The handler of the signals that end it; userdata is the identity. */
int identity_on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata);

/* The role's own worker has told its conditions. */
void identity_stop_on_own_ready(struct identity *identity);

/* While it is stopping: the worker is dead and reaped. */
void identity_stop_on_ended(struct identity *identity, struct worker *worker, enum worker_end end);

/* While it is stopping: something else, NULL, or this worker has ended. */
void identity_stop_continue(struct identity *identity, const struct worker *ended);
