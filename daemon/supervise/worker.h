/*
 * One worker of the supervisor: its process, its channel, its watchdog, its restarts, its end.
 *
 * Used by the supervisors of all roles (daemon/role); runs there, as root. Nothing here waits: all goes by the event
 * loop.
 */
#pragma once

#include "common/cleanup.h"
#include "daemon/configuration/configuration.h"
#include "daemon/supervise/privileges.h"
#include "protocol/messages.h"

#include <systemd/sd-event.h>

struct worker;

struct worker_definition {
    const char *name;           /* in logs: "watcher" */
    const char *program;        /* file name in the directory of the workers */
    uid_t user;                 /* and group */
    enum metrics_writer writer; /* whose metrics page it gets; never the supervisor's */
    uint64_t capabilities;
    enum message_direction receives; /* what the supervisor gets from it */
    const char *docker_host;         /* the worker talks to this Docker, or NULL */
    const char *directory;           /* where it runs, or NULL */
    const char *docker_cert_path;    /* by TLS with the files in this directory, or NULL */
};

enum worker_end {
    WORKER_END_ORDERED,   /* asked to, with status 0 */
    WORKER_END_CRASH,     /* or it could not be started: try again */
    WORKER_END_PERMANENT, /* another try cannot help (restart_policy_exit_is_permanent) */
};

struct worker_callbacks {
    /* The process runs and its channel stands; first messages are sent here. */
    void (*on_started)(struct worker *worker, void *userdata);
    /* NULL: it has nothing to say but PONG, which is taken already; anything else is refused. */
    void (*on_message)(struct worker *worker, const struct message_header *message, void *userdata);
    /* It is dead and reaped. The owner calls worker_restart() or leaves it at that. */
    void (*on_ended)(struct worker *worker, enum worker_end end, void *userdata);
    void *userdata;
};

/* `definition` and the strings in it must outlive the worker. Returns 0 or a negative errno. */
int worker_new(sd_event *event, const struct worker_definition *definition, const struct worker_callbacks *callbacks,
               struct worker **ret) __attribute__((warn_unused_result));

/* Frees; kills the process if there is one. NULL is fine. Returns NULL. */
struct worker *worker_free(struct worker *worker);
DEFINE_POINTER_CLEANUP(struct worker, (void)worker_free, worker_freep);

/* Starts it, now. When that fails on_ended follows from the event loop, as if it had died. */
void worker_start(struct worker *worker);

/* Starts it after the delay of the restart policy, and logs that. Only after on_ended. */
void worker_restart(struct worker *worker);

/* A restart that is under way happens now. */
void worker_hasten(struct worker *worker);

bool worker_is_running(const struct worker *worker);
const char *worker_name(const struct worker *worker);

/* What status shows of it. */
void worker_describe(const struct worker *worker, struct wire_worker *ret);

/* Sends if it has a channel; a channel that fails ends the worker by itself, so there is nothing to return. */
void worker_send(struct worker *worker, const struct message_header *message, int descriptor);

/*
 * Whether nobody can read Docker at the moment. For so long a worker with a `docker_host` is replaced when Docker's
 * socket has come, or has another group than the one that it was started with.
 */
void worker_await_docker(struct worker *worker, bool is_awaited);

/* As channel_refuse(): the default of an on_message. The worker is killed; on_ended follows. */
void worker_refuse(struct worker *worker, const struct message_header *message);

/*
 * Asks a running worker to end and kills it after `deadline` microseconds; on_ended follows in either case.
 * A restart that is under way is given up; then nothing follows.
 */
void worker_stop(struct worker *worker, enum stop_mode mode, uint64_t deadline);

/* At once. on_ended follows if it was running. */
void worker_kill(struct worker *worker);
