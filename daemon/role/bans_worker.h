/*
 * The worker `bans` as the supervisors of identities run it (GUEST-2): its directory, its sockets, when it is needed.
 *
 * Opened by main.c before the supervisor is limited; the rest is called by identity.c, as root. It is never needed for
 * the data path: whatever fails here is said once, and everything else goes on without bans.
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "daemon/supervise/worker.h"

#include <limits.h>

enum ban_socket {
    BAN_SOCKET_ROOT,  /* beside the control socket: root's `anchord ban` */
    BAN_SOCKET_GIVEN, /* ANCHORD_BAN_SOCKET: also for its directory's group */
    BAN_SOCKET_MAX_,
};

struct bans_openings {
    int listeners[BAN_SOCKET_MAX_]; /* -1: none */
    char directory[PATH_MAX];       /* of its file; empty: there are no bans */
    bool is_lasting;                /* the directory outlives the container */
};

void bans_worker_open(const struct configuration *configuration, struct bans_openings *ret);
void bans_worker_close(struct bans_openings *openings);

struct worker_definition bans_worker_definition(const struct bans_openings *openings);

/* Sends it what it needs; after each start. */
void bans_worker_configure(struct worker *worker, const struct configuration *configuration,
                           const struct bans_openings *openings);

/* Until the worker was started once: who wants it, by connecting. */
struct bans_activation {
    struct worker *worker;
    sd_event_source *sources[BAN_SOCKET_MAX_];
};

/*
 * Starts the worker: at once when its file is there, else when somebody connects to one of its sockets, where nothing
 * is read or accepted before. Who bans nobody has no such process.
 */
void bans_worker_await(sd_event *event, const struct bans_openings *openings, struct worker *worker,
                       struct bans_activation *activation);
void bans_worker_stop_awaiting(struct bans_activation *activation);
