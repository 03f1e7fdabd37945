/* The keeper as a whole; see keeper.h. Runs without any capability. */
#include "workers/keeper/keeper.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/problems.h"
#include "protocol/supervised.h"
#include "workers/docker/seal.h"
#include "workers/keeper/dependents.h"
#include "workers/keeper/follow.h"

struct keeper {
    sd_event *event;
    struct channel *supervisor;
    struct message_configure_keeper configuration;
    struct docker_credentials credentials; /* of TLS; empty: none */
    struct managed_set managed;            /* complete when the session starts */
    struct session *session;               /* NULL until CONFIGURE_KEEPER, as the jobs are */
    struct dependents *dependents;         /* by the role; else NULL */
    struct follow *follow;
};

/* The loop ends with an exit status; sd_event_exit() can only fail on a loop that has ended. */
static void end(struct keeper *keeper, enum exit_status status)
{
    (void)sd_event_exit(keeper->event, (int)status);
}

static void tell_readiness(struct keeper *keeper, bool is_connected)
{
    const struct message_readiness readiness = {
        .header = message_header_make(MESSAGE_READINESS, sizeof(readiness), 0),
        .conditions = is_connected ? READINESS_DOCKER_CONNECTED : 0,
    };

    (void)channel_send_message(keeper->supervisor, &readiness); /* the end of the loop follows a failure */
}

static void on_connected(void *userdata)
{
    struct keeper *keeper = userdata;

    tell_readiness(keeper, true);
    if (keeper->dependents)
        dependents_on_connected(keeper->dependents);
    if (keeper->follow)
        follow_on_connected(keeper->follow);
}

static void on_lost(void *userdata)
{
    struct keeper *keeper = userdata;

    if (keeper->dependents)
        dependents_on_lost(keeper->dependents);
    if (keeper->follow)
        follow_on_lost(keeper->follow);
    tell_readiness(keeper, false);
}

static void on_event(void *userdata, const struct docker_event *event)
{
    struct keeper *keeper = userdata;

    if (keeper->dependents)
        dependents_on_event(keeper->dependents, event);
    if (keeper->follow)
        follow_on_event(keeper->follow, event);
}

static int make_rooms(struct keeper *keeper, const struct docker_host *host)
{
    const struct session_callbacks callbacks = {on_connected, on_lost, on_event, keeper};
    int result = session_new(keeper->event, host, keeper->configuration.docker_host, &callbacks, &keeper->session);

    if (result < 0)
        return result;
    if (keeper->configuration.role == ANCHOR_ROLE_EXTERNAL_REBINDER)
        return follow_new(keeper->event, keeper->session, &keeper->configuration, &keeper->follow);
    return dependents_new(keeper->event, keeper->session, &keeper->configuration, &keeper->managed,
                          &keeper->dependents);
}

/* Not before all managed targets are known: else those that are missing would look like nothing to do. */
static void start_if_complete(struct keeper *keeper)
{
    if (keeper->managed.count == keeper->configuration.managed_count)
        session_start(keeper->session);
}

static void configure(struct keeper *keeper, const struct message_configure_keeper *configuration)
{
    struct docker_host host;
    const char *reason = NULL;
    int result;

    if (keeper->session) {
        log_error("second CONFIGURE_KEEPER from the supervisor, ignoring");
        return;
    }
    keeper->configuration = *configuration;
    keeper->managed.repairs_dependents = configuration->repairs_dependents == 1;
    log_set_level((enum log_level)configuration->log_level);
    if (docker_host_parse(configuration->asked_at, &host, &reason) < 0) {
        log_error("DOCKER_HOST is invalid", LOG_PROBLEM(PROBLEM_CONFIGURATION_INVALID),
                  LOG_TEXT("docker_host", configuration->asked_at), LOG_ERROR_TEXT(reason));
        end(keeper, EXIT_STATUS_CONFIGURATION);
        return;
    }
    if (docker_credentials_are_complete(&keeper->credentials))
        host.credentials = &keeper->credentials;
    result = make_rooms(keeper, &host);
    if (result < 0) {
        log_error("keeper cannot start", LOG_ERROR(result));
        end(keeper, EXIT_STATUS_CRASH);
        return;
    }
    result = docker_seal(&host, &reason);
    if (result < 0) {
        log_error("a privilege could not be dropped", LOG_TEXT("step", reason), LOG_ERROR(result));
        end(keeper, EXIT_STATUS_SANDBOX);
        return;
    }
    start_if_complete(keeper);
}

/* Images are compared once, at our start: what a keeper that died has seen stays as it is. */
static void take_managed_target(struct keeper *keeper, const struct message_managed_target *message)
{
    bool is_compared = keeper->configuration.is_successor == 1;
    int result = keeper->managed.count < keeper->configuration.managed_count
                     ? managed_set_add(&keeper->managed, &message->managed, is_compared)
                     : -EPROTO;

    if (result < 0) {
        log_error("a managed service-anchor cannot be taken", LOG_TEXT("container", message->managed.name),
                  LOG_ERROR(result));
        end(keeper, EXIT_STATUS_CONFIGURATION);
        return;
    }
    start_if_complete(keeper);
}

/* Without TLS to Docker there is no way on: the supervisor said that there is to be some. */
static void take_credential(struct keeper *keeper, const struct message_docker_credential *message, int descriptor)
{
    CLEANUP_FD int owned_descriptor = descriptor;
    int result = docker_credentials_read(&keeper->credentials, (enum docker_credential)message->kind, owned_descriptor);

    if (result == 0)
        return;
    log_error("a file of DOCKER_CERT_PATH cannot be read", LOG_PROBLEM(PROBLEM_DOCKER_AWAY),
              LOG_NUMBER("kind", message->kind), LOG_ERROR(result));
    end(keeper, EXIT_STATUS_CONFIGURATION);
}

static void take_link(struct keeper *keeper, const struct message_link *message, int descriptor)
{
    CLEANUP_FD int owned_descriptor = descriptor;
    int result = -EPROTO;

    if (message->peer == LINK_PEER_CONTROL && keeper->dependents)
        result = dependents_link_control(keeper->dependents, TAKE_FD(owned_descriptor));
    else if (message->peer == LINK_PEER_CONTROL && keeper->follow)
        result = follow_link_control(keeper->follow, TAKE_FD(owned_descriptor));
    if (result < 0)
        log_error("channel to a peer cannot be made", LOG_NUMBER("peer", message->peer), LOG_ERROR(result));
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct keeper *keeper = userdata;

    switch (message->type) {
    case MESSAGE_CONFIGURE_KEEPER:
        configure(keeper, (const struct message_configure_keeper *)message);
        break;
    case MESSAGE_MANAGED_TARGET:
        take_managed_target(keeper, (const struct message_managed_target *)message);
        break;
    case MESSAGE_TOPOLOGY:
        if (keeper->dependents)
            dependents_set_topology(keeper->dependents, (const struct message_topology *)message);
        break;
    case MESSAGE_DOCKER_CREDENTIAL:
        take_credential(keeper, (const struct message_docker_credential *)message, descriptor);
        break;
    case MESSAGE_STOP:
        end(keeper, EXIT_STATUS_CLEAN);
        break;
    case MESSAGE_LINK:
        take_link(keeper, (const struct message_link *)message, descriptor);
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

int keeper_new(sd_event *event, struct keeper **ret)
{
    CLEANUP(keeper_freep) struct keeper *keeper = calloc(1, sizeof(*keeper));
    int result;

    if (!keeper)
        return -ENOMEM;
    keeper->event = event;
    result = supervised_join(event, DIRECTION_SUPERVISOR_TO_KEEPER, on_supervisor_message, keeper, &keeper->supervisor);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(keeper);
    return 0;
}

struct keeper *keeper_free(struct keeper *keeper)
{
    if (!keeper)
        return NULL;
    (void)channel_free(keeper->supervisor);
    (void)dependents_free(keeper->dependents);
    (void)follow_free(keeper->follow);
    (void)session_free(keeper->session);
    docker_credentials_release(&keeper->credentials);
    free(keeper);
    return NULL;
}
