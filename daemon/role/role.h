/*
 * What the supervisors of all roles share: the event loop with its stop signals, the joining of workers, and what
 * "ready" means.
 *
 * Called by network_anchor.c (network-anchor), service_anchor.c and rebinder.c, as root.
 */
#pragma once

#include "daemon/supervise/worker.h"

#include <systemd/sd-event.h>

/* Users of the workers by number: the image has no /etc/passwd. */
#define WATCHER_USER   24941
#define NETADMIN_USER  24942
#define KEEPER_USER    24943
#define RESOLVER_USER  24944
#define ANNOUNCER_USER 24945
#define CONTROL_USER   24946
#define GATE_USER      24949 /* behind the exporter's and the DHCP client's */

/* A whole stop stays below 2 s (SPEC §10), also when no worker obeys. */
#define READERS_STOP_DEADLINE  (500 * MICROSECONDS_PER_MILLISECOND)
#define NETADMIN_STOP_DEADLINE MICROSECONDS_PER_SECOND

/* What a supervisor does before its loop, and with what: kept for the line that says what went wrong. */
struct role_step {
    const char *operation;
    const char *object;
};

/*
 * Blocks SIGCHLD, SIGTERM and SIGINT and makes a loop that hears of the latter two. Returns 0 or a negative errno;
 * *step is what it did last.
 */
int role_event_loop_new(sd_event_signal_handler_t on_stop_signal, void *userdata, sd_event **ret,
                        struct role_step *step) __attribute__((warn_unused_result));

/* Makes each worker of its definition. Returns and tells as role_event_loop_new(). */
int role_make_workers(sd_event *event, const struct worker_definition *definitions, size_t count,
                      const struct worker_callbacks *callbacks, struct worker **workers, struct role_step *step)
    __attribute__((warn_unused_result));

/* Says that `step` failed with `result`. Returns the exit status. */
int role_cannot_prepare(const struct role_step *step, int result);

/* The definition of netadmin; `argument` as in struct worker_definition. */
struct worker_definition role_netadmin_definition(const char *argument);

/* A worker and how the others call it. */
struct role_member {
    struct worker *worker;
    enum link_peer name;
};

/* A fresh connection between the two, if both run. */
void role_join(struct role_member one, struct role_member other);

struct control_worker;

struct role_readiness {
    uint32_t required;              /* enum readiness_condition: those that make the role ready (SPEC §8) */
    struct control_worker *control; /* who shows it, or NULL */
    bool is_ready;
    bool was_ready;
};

/* Takes over the conditions that hold now; says it when that makes or ends being ready. */
void role_update_readiness(struct role_readiness *readiness, uint32_t held);

/*
 * Starts a worker again that ended. Returns false when it is not: the role never was ready, cannot be without this
 * worker (`is_needed`), and what ended it will end the next one, too.
 */
bool role_restart(const struct role_readiness *readiness, struct worker *worker, enum worker_end end, bool is_needed)
    __attribute__((warn_unused_result));

/* The loop to its end. Returns the exit status. */
int role_run(sd_event *event);
