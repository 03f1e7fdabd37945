/* What an external-rebinder does to the follower; see follow_actions.h. Runs without any privilege. */
#include "workers/keeper/follow_actions.h"

#include "common/log.h"
#include "workers/keeper/command.h"

static void end(struct follow_action *action, enum follow_action_end end)
{
    action->on_end(action->userdata, end, NULL, 0, NULL);
}

/* Did Docker do what it was asked for, or find it done? Else that is the end of it. */
static bool has_worked(struct follow_action *action, const char *what, int error, const char *text)
{
    if (error == 0 || command_was_needless(error, text))
        return true;
    action->on_end(action->userdata, FOLLOW_ACTION_FAILED, what, error, text);
    return false;
}

static void on_restarted(void *userdata, int error, const char *text)
{
    struct follow_action *action = userdata;

    if (!session_check_answer(action->session, error, text))
        return;
    if (error < 0) {
        action->on_end(action->userdata, FOLLOW_ACTION_FAILED, "the follower cannot be restarted", error, text);
        return;
    }
    action->has_restarted = true;
    end(action, FOLLOW_ACTION_JOINED);
}

static void restart(struct follow_action *action, const char *reason)
{
    struct docker_client *client = session_client(action->session);
    const struct inspection *follower = action->follower;

    log_info("restarting the follower", LOG_TEXT("container", follower->name), LOG_TEXT("reason", reason));
    session_check_sent(action->session,
                       follower->is_running
                           ? command_restart(client, follower->id, action->configuration->stop_timeout_milliseconds,
                                             on_restarted, action)
                           : command_start(client, follower->id, on_restarted, action));
}

static void on_connected(void *userdata, int error, const char *text)
{
    struct follow_action *action = userdata;

    if (!session_check_answer(action->session, error, text) ||
        !has_worked(action, "the network cannot be joined", error, text))
        return;
    if (action->follower->is_running && action->configuration->follow.restarts == 1)
        restart(action, "ANCHORD_FOLLOW_RESTART");
    else if (endpoint_prevented_start(action->follower))
        restart(action, "Docker could not start it without the network");
    else
        end(action, FOLLOW_ACTION_JOINED);
}

static void join(struct follow_action *action)
{
    session_check_sent(action->session,
                       command_connect(session_client(action->session), action->network->id, action->follower->id,
                                       action->configured, on_connected, action));
}

static void on_disconnected(void *userdata, int error, const char *text)
{
    struct follow_action *action = userdata;

    if (session_check_answer(action->session, error, text) &&
        has_worked(action, "the stale endpoint cannot be removed", error, text))
        join(action);
}

static void disconnect(struct follow_action *action, docker_done_handler on_done)
{
    session_check_sent(action->session, command_disconnect(session_client(action->session), action->network->id,
                                                           action->follower->id, on_done, action));
}

void follow_action_rejoin(struct follow_action *action, const char *reason)
{
    action->has_restarted = false;
    log_info("rejoining the network", LOG_TEXT("container", action->follower->name),
             LOG_TEXT("network", action->configuration->follow.network), LOG_TEXT("network_id", action->network->id),
             LOG_TEXT("was_on", action->endpoint->network_id), LOG_NUMBER("endpoints", action->network->foreign_count),
             LOG_TEXT("reason", reason));
    if (action->endpoint->is_there)
        disconnect(action, on_disconnected);
    else
        join(action);
}

static void on_released(void *userdata, int error, const char *text)
{
    struct follow_action *action = userdata;

    if (session_check_answer(action->session, error, text) &&
        has_worked(action, "the network cannot be left", error, text))
        end(action, FOLLOW_ACTION_LEFT);
}

void follow_action_leave(struct follow_action *action)
{
    log_info("leaving the network: nobody else is on it, and its project could not remove it",
             LOG_TEXT("container", action->follower->name), LOG_TEXT("network", action->configuration->follow.network),
             LOG_TEXT("network_id", action->network->id));
    disconnect(action, on_released);
}

void follow_action_restart(struct follow_action *action, const char *reason)
{
    action->has_restarted = false;
    restart(action, reason);
}
