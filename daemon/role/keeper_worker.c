/* The worker `keeper` as the supervisors run it; see keeper_worker.h. Runs in the supervisor, as root. */
#include "daemon/role/keeper_worker.h"

#include "daemon/supervise/users.h"

#include <string.h>

/* What Docker itself gives a container to end in (API 1.41 … 1.52, ContainerStop, t). */
#define STOP_TIMEOUT_MILLISECONDS UINT32_C(10000)

/* LIFE-5, for an external-rebinder. */
#define FOLLOW_POLL_INTERVAL UINT32_C(30000)
#define FOLLOW_STEADY        UINT32_C(3000)
#define FOLLOW_SETTLE_LIMIT  UINT32_C(90000)

static const enum anchor_role anchor_roles[ROLE_MAX_] = {
    [ROLE_NETWORK_ANCHOR] = ANCHOR_ROLE_NETWORK,
    [ROLE_EXTERNAL_REBINDER] = ANCHOR_ROLE_EXTERNAL_REBINDER,
    [ROLE_WRAP_REBINDER] = ANCHOR_ROLE_WRAP_REBINDER,
};

struct worker_definition keeper_worker_definition(const struct configuration *configuration)
{
    return (struct worker_definition){
        .name = "keeper",
        .program = "anchord-keeper",
        .user = KEEPER_USER,
        .writer = METRICS_WRITER_KEEPER,
        .receives = DIRECTION_KEEPER_TO_SUPERVISOR,
        .docker_cert_path = configuration->docker_tls_verify ? configuration->docker_cert_path : NULL,
    };
}

static void add_follow(const struct configuration *configuration, struct message_configure_keeper *message)
{
    message->poll_interval_milliseconds = FOLLOW_POLL_INTERVAL;
    memcpy(message->follow.network, configuration->follow_network, sizeof(message->follow.network));
    memcpy(message->follow.target, configuration->follow_target, sizeof(message->follow.target));
    message->follow.restarts = configuration->follow_restart;
    message->follow.backoff_milliseconds = (uint32_t)configuration->follow_backoff_milliseconds;
    message->follow.steady_milliseconds = FOLLOW_STEADY;
    message->follow.settle_limit_milliseconds = FOLLOW_SETTLE_LIMIT;
}

/* LIFE-2 */
static void send_managed_target(struct worker *keeper, const struct managed_target *managed)
{
    const struct message_managed_target message = {
        .header = message_header_make(MESSAGE_MANAGED_TARGET, sizeof(message), 0),
        .managed = *managed,
    };

    worker_send(keeper, &message.header, -1);
}

void keeper_worker_configure(struct worker *keeper, const struct configuration *configuration,
                             const struct gate_sockets *gate_sockets, bool is_successor, bool is_held)
{
    bool is_wrap = configuration->role == ROLE_WRAP_REBINDER;
    struct message_configure_keeper message = {
        .header = message_header_make(MESSAGE_CONFIGURE_KEEPER, sizeof(message), 0),
        .role = anchor_roles[configuration->role],
        .poll_interval_milliseconds = (uint32_t)(is_wrap ? configuration->wrap_poll_interval_milliseconds
                                                         : configuration->poll_interval_milliseconds),
        .stop_timeout_milliseconds =
            is_wrap ? (uint32_t)configuration->wrap_stop_timeout_milliseconds : STOP_TIMEOUT_MILLISECONDS,
        .is_successor = is_successor,
        .log_level = configuration->log_level,
        .starts_siblings = configuration->starts_siblings,
        .repairs_dependents = configuration->repairs_dependents,
        .managed_count = (uint32_t)configuration->managed_count,
        .is_held = is_held,
    };

    gate_worker_write_asked_at(configuration, gate_sockets, GATE_SOCKET_KEEPER, message.asked_at);
    /* Each of the same size. */
    memcpy(message.docker_host, configuration->docker_host, sizeof(message.docker_host));
    memcpy(message.project, configuration->project, sizeof(message.project));
    memcpy(message.label_selector, configuration->label_selector, sizeof(message.label_selector));
    if (configuration->role == ROLE_EXTERNAL_REBINDER)
        add_follow(configuration, &message);
    worker_send(keeper, &message.header, -1);
    for (size_t i = 0; i < configuration->managed_count; i++)
        send_managed_target(keeper, &configuration->managed[i]);
}
