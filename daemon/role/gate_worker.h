/*
 * The worker `gate` as the supervisors run it (WALL-7): its sockets, its definition, its first messages.
 *
 * Called by daemon/main.c, which opens the sockets before the supervisor is limited, and by network_anchor.c and
 * rebinder.c. Runs in the supervisor, as root.
 */
#pragma once

#include "daemon/supervise/worker.h"

#include <sys/un.h>

/* Who has a socket of its own. */
enum gate_socket { GATE_SOCKET_WATCHER, GATE_SOCKET_KEEPER, GATE_SOCKET_MAX_ };

struct gate_sockets {
    int listeners[GATE_SOCKET_MAX_]; /* -1: there is none */
    struct sockaddr_un addresses[GATE_SOCKET_MAX_];
};

/* With DOCKER_HOST=tcp://… there is no gate. */
bool gate_worker_is_used(const struct configuration *configuration);

/*
 * Makes the directory `gate` in the runtime directory and in it a listening socket for each client that this role has.
 * Anybody may connect; the gate lets in whose socket it is. Returns 0, or a negative errno with *ret_path naming what.
 */
int gate_worker_open_sockets(const struct configuration *configuration, struct gate_sockets *ret, const char **ret_path)
    __attribute__((warn_unused_result));
void gate_worker_close_sockets(struct gate_sockets *sockets);

struct worker_definition gate_worker_definition(const struct configuration *configuration);

/* Its first messages. */
void gate_worker_configure(struct worker *gate, const struct configuration *configuration,
                           const struct gate_sockets *sockets);

/* Where a client asks for Docker: its socket of the gate, or, without a gate, the configured DOCKER_HOST. */
void gate_worker_write_asked_at(const struct configuration *configuration, const struct gate_sockets *sockets,
                                enum gate_socket client, char asked_at[DOCKER_HOST_SIZE]);
