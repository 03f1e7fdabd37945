/*
 * What the supervisors of all roles share: the event loop with its stop signals, the making of workers and their
 * restarts.
 *
 * Called by network_anchor.c (network-anchor), service_anchor.c and rebinder.c, as root.
 */
#pragma once

#include "daemon/role/readiness.h"
#include "daemon/supervise/worker.h"

#include <systemd/sd-event.h>

/* A whole stop stays below 2 s (SPEC §10), also when no worker obeys. */
#define READERS_STOP_DEADLINE  (500 * MICROSECONDS_PER_MILLISECOND)
#define CHANGERS_STOP_DEADLINE MICROSECONDS_PER_SECOND /* of netadmin and way */

/* What a supervisor does before its loop, and with what: kept for the line that says what went wrong. */
struct role_step {
    const char *operation;
    const char *object;
};

/*
 * Blocks SIGCHLD, SIGTERM, SIGINT and SIGUSR1 and makes a loop that hears of the latter three, which all ask for an
 * end. Returns 0 or a negative errno; *step is what it did last.
 */
int role_event_loop_new(sd_event_signal_handler_t on_stop_signal, void *userdata, sd_event **ret,
                        struct role_step *step) __attribute__((warn_unused_result));

/* SIGUSR1 takes everything away, whatever ANCHORD_ON_STOP says: a unit's last stop, when its project is detached. */
enum stop_mode role_choose_stop_mode(enum stop_mode configured, const struct signalfd_siginfo *info);

/* Makes each worker of its definition and its callbacks. Returns and tells as role_event_loop_new(). */
int role_make_workers(sd_event *event, const struct worker_definition *definitions, size_t count,
                      const struct worker_callbacks *callbacks, struct worker **workers, struct role_step *step)
    __attribute__((warn_unused_result));

/* Says that `step` failed with `result`. Returns the exit status. */
int role_cannot_prepare(const struct role_step *step, int result);

/* The definition of netadmin. */
struct worker_definition role_netadmin_definition(void);

/*
 * Starts a worker again that ended. Returns false when it is not: the role never was ready, cannot be without this
 * worker (`is_needed`), and what ended it will end the next one, too.
 */
bool role_restart(const struct readiness *readiness, struct worker *worker, enum worker_end end, bool is_needed)
    __attribute__((warn_unused_result));

/* PKG-2: to systemd the unit has started: its configuration is in order. Without a NOTIFY_SOCKET nobody waits. */
void role_tell_configured(void);

/* The loop to its end, after that was told. Returns the exit status. */
int role_run(sd_event *event);
/* The same for who tells it himself, later. */
int role_run_untold(sd_event *event);
