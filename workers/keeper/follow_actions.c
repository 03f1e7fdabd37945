/*
 * What an external-rebinder does to the follower: leave the network, join it anew, restart; see follow_internal.h.
 *
 * Called by follow.c when a look has found that something is to be done; the look goes on until it is. Runs without any
 * privilege.
 */
#include "workers/keeper/follow_internal.h"

#include "common/clock.h"
#include "common/log.h"
#include "protocol/metrics.h"

/* May the next action begin? Else this look is over, and the next one is due in time. */
static bool may_try(struct follow *follow)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t next = memory_next_attempt(&follow->attempts);

    next = follow->retry_at > next ? follow->retry_at : next;
    if (next > now) {
        follow_wake(follow, next);
        follow_end_look(follow);
        return false;
    }
    follow->action_started_at = now;
    return true;
}

static void succeed(struct follow *follow, const char *what)
{
    log_info(what, LOG_TEXT("container", follow->follower.name),
             LOG_TEXT("network", follow->configuration->follow.network),
             LOG_NUMBER("milliseconds",
                        (clock_monotonic_microseconds() - follow->action_started_at) / MICROSECONDS_PER_MILLISECOND));
    follow->notice = NOTICE_NONE;
    follow_note_problem(follow, NULL);
    follow->must_look_again = true; /* what others did meanwhile */
    follow_end_look(follow);
}

static void fail(struct follow *follow, const char *what, int error, const char *text)
{
    uint64_t now = clock_monotonic_microseconds();

    metrics_add(METRIC_REBINDS, METRIC_ERROR, 1);
    log_error(what, LOG_TEXT("container", follow->follower.name),
              LOG_TEXT("network", follow->configuration->follow.network), LOG_ERROR_TEXT(text));
    follow_note_problem(follow, text);
    if (command_met_used_address(error, text)) {
        follow->address_tries++;
        follow->refused_count = follow->network.foreign_count;
        follow->retry_at = now + follow->configuration->follow.backoff_milliseconds * MICROSECONDS_PER_MILLISECOND;
    } else {
        memory_note_attempt(&follow->attempts, now);
    }
    follow->must_look_again = true;
    follow_end_look(follow);
}

static void finish_rejoin(struct follow *follow)
{
    metrics_add(METRIC_REBINDS, METRIC_OK, 1);
    follow->may_be_alone = follow->network.foreign_count == 0;
    succeed(follow, "network rejoined");
}

static void on_restarted(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;

    if (!follow_is_answered(follow, error, text))
        return;
    if (error < 0) {
        fail(follow, "the follower cannot be restarted", error, text);
        return;
    }
    follow->restarted_for = follow->network.created;
    finish_rejoin(follow);
}

static void restart_follower(struct follow *follow)
{
    struct docker_client *client = session_client(follow->session);
    const char *id = follow->follower.id;

    log_info("restarting the follower", LOG_TEXT("container", follow->follower.name),
             LOG_TEXT("reason", follow->reason));
    follow_check_sent(follow, follow->follower.is_running
                                  ? command_restart(client, id, follow->configuration->stop_timeout_milliseconds,
                                                    on_restarted, follow)
                                  : command_start(client, id, on_restarted, follow));
}

static void on_connected(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;

    if (!follow_is_answered(follow, error, text))
        return;
    if (error < 0 && !command_was_needless(error, text)) {
        fail(follow, "the network cannot be joined", error, text);
        return;
    }
    if (follow->follower.is_running && follow->configuration->follow.restarts == 1) {
        follow->reason = "ANCHORD_FOLLOW_RESTART";
        restart_follower(follow);
    } else if (endpoint_prevented_start(&follow->follower)) {
        follow->reason = "Docker could not start it without the network";
        restart_follower(follow);
    } else {
        finish_rejoin(follow);
    }
}

static void join(struct follow *follow)
{
    follow_check_sent(follow, command_connect(session_client(follow->session), follow->network.id, follow->follower.id,
                                              follow->configured, on_connected, follow));
}

static void on_disconnected(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;

    if (!follow_is_answered(follow, error, text))
        return;
    if (error < 0 && !command_was_needless(error, text))
        fail(follow, "the stale endpoint cannot be removed", error, text);
    else
        join(follow);
}

void follow_rejoin(struct follow *follow, const char *reason)
{
    if (!may_try(follow))
        return;
    log_info("rejoining the network", LOG_TEXT("container", follow->follower.name),
             LOG_TEXT("network", follow->configuration->follow.network), LOG_TEXT("network_id", follow->network.id),
             LOG_TEXT("was_on", follow->endpoint.network_id), LOG_NUMBER("endpoints", follow->network.foreign_count),
             LOG_TEXT("reason", reason));
    if (follow->endpoint.is_there)
        follow_check_sent(follow, command_disconnect(session_client(follow->session), follow->network.id,
                                                     follow->follower.id, on_disconnected, follow));
    else
        join(follow);
}

static void on_released(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;

    if (!follow_is_answered(follow, error, text))
        return;
    if (error < 0 && !command_was_needless(error, text)) {
        fail(follow, "the network cannot be left", error, text);
        return;
    }
    follow->is_released = true;
    succeed(follow, "network left");
}

void follow_leave(struct follow *follow)
{
    if (!may_try(follow))
        return;
    log_info("leaving the network: nobody else is on it, and its project could not remove it",
             LOG_TEXT("container", follow->follower.name), LOG_TEXT("network", follow->configuration->follow.network),
             LOG_TEXT("network_id", follow->network.id));
    follow_check_sent(follow, command_disconnect(session_client(follow->session), follow->network.id,
                                                 follow->follower.id, on_released, follow));
}

void follow_restart(struct follow *follow, const char *reason)
{
    follow->reason = reason;
    if (may_try(follow))
        restart_follower(follow);
}
