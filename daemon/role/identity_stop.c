/* The end of an identity's supervisor; see identity_internal.h. Runs as root, reads only our own messages. */
#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/role/control_worker.h"
#include "daemon/role/identity_internal.h"
#include "daemon/supervise/timer.h"
#include "protocol/problems.h"

#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* For starts, a meeting and one list of Docker's; an engine kills 10 s after its signal. */
#define GATHER_DEADLINE (6 * MICROSECONDS_PER_SECOND)
#define GATHER_ACCURACY (10 * MICROSECONDS_PER_MILLISECOND)

bool identity_changes_kernel(const struct identity *identity, enum identity_worker index)
{
    return index == IDENTITY_NETADMIN || (index == IDENTITY_OWN && identity->role->own_is_needed);
}

/* Everything in order, at most once: first those who read and announce, then the DHCP clients, which need the addresses
 * to release them (ADDR-8), then those who change. */
static void begin_stop(struct identity *identity, int exit_status)
{
    if (identity->is_stopping)
        return;
    identity->is_stopping = true;
    identity->exit_status = exit_status;
    (void)sd_notify(false, "STOPPING=1");
    control_worker_on_stop(identity->readiness.control);
    worker_stop(identity->workers[IDENTITY_WATCHER], STOP_TEAR_DOWN, READERS_STOP_DEADLINE);
    if (!identity_changes_kernel(identity, IDENTITY_OWN))
        worker_stop(identity->workers[IDENTITY_OWN], STOP_TEAR_DOWN, READERS_STOP_DEADLINE);
    worker_stop(identity->workers[IDENTITY_ANNOUNCER], STOP_TEAR_DOWN, READERS_STOP_DEADLINE);
    bans_worker_stop_awaiting(&identity->bans);
    worker_stop(identity->workers[IDENTITY_BANS], STOP_KEEP_STATE, READERS_STOP_DEADLINE);
}

static bool one_runs(const struct identity *identity, bool that_changes_kernel)
{
    for (size_t i = 0; i < IDENTITY_WORKER_MAX_; i++) {
        if (i != IDENTITY_GATE && identity_changes_kernel(identity, (enum identity_worker)i) == that_changes_kernel &&
            worker_is_running(identity->workers[i]))
            return true;
    }
    return false;
}

/* Called whenever something ended during a stop: takes the next step. */
void identity_stop_continue(struct identity *identity, const struct worker *ended)
{
    if (one_runs(identity, false))
        return;
    dhcp_stop(identity->dhcp, identity->stop_mode == STOP_KEEP_STATE);
    if (dhcp_is_running(identity->dhcp))
        return;
    if (!ended || (!identity_changes_kernel(identity, identity_index_of(identity, ended)) &&
                   identity_index_of(identity, ended) != IDENTITY_GATE)) {
        worker_stop(identity->workers[IDENTITY_GATE], STOP_TEAR_DOWN, READERS_STOP_DEADLINE); /* nobody asks any more */
        worker_stop(identity->workers[IDENTITY_NETADMIN], identity->stop_mode, CHANGERS_STOP_DEADLINE);
        if (identity_changes_kernel(identity, IDENTITY_OWN))
            worker_stop(identity->workers[IDENTITY_OWN], identity->stop_mode, CHANGERS_STOP_DEADLINE);
    }
    if (!one_runs(identity, true))
        (void)sd_event_exit(identity->event, identity->exit_status);
}

/* --- what is to be undone is not known yet --------------------------------------------------------------- */

/*
 * What stands in the containers way alone can take back, and only what was handed to it: between two starts of it, or
 * before the halves have met, nobody would. So it goes on until way knows all, and whoever waits for his restart does
 * not wait.
 */
static bool must_gather(const struct identity *identity)
{
    return identity->role->own_is_needed && identity->stop_mode == STOP_TEAR_DOWN && !identity->own_knows_all;
}

static void gather(struct identity *identity)
{
    log_info("what is to be undone is not known yet: starting who knows it");
    identity->is_gathering = true;
    timer_set(identity->gather_timer, GATHER_DEADLINE);
    for (size_t i = 0; i < IDENTITY_WORKER_MAX_; i++)
        worker_hasten(identity->workers[i]);
}

static void end_gathering(struct identity *identity)
{
    identity->is_gathering = false;
    timer_clear(identity->gather_timer);
    begin_stop(identity, EXIT_STATUS_CLEAN);
    identity_stop_continue(identity, NULL);
}

static int on_gather_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    (void)source;
    (void)planned;
    log_error("who knows what is to be undone did not come back: routes and rules of ours may be left in containers",
              LOG_PROBLEM(PROBLEM_LEFT_OVER));
    end_gathering(userdata);
    return 0;
}

int identity_stop_prepare(struct identity *identity)
{
    return timer_new(identity->event, CLOCK_MONOTONIC, GATHER_ACCURACY, on_gather_time, identity,
                     &identity->gather_timer);
}

void identity_stop_on_own_ready(struct identity *identity)
{
    identity->own_knows_all = true;
    if (identity->is_gathering)
        end_gathering(identity);
}

/* --- the end of a worker --------------------------------------------------------------------------------- */

/* Killed while it undid things: once more, as the host half still holds what it needs. */
static bool undoes_again(struct identity *identity, const struct worker *worker)
{
    if (identity_index_of(identity, worker) != IDENTITY_OWN || identity->was_gathered ||
        !identity->role->own_is_needed || identity->stop_mode != STOP_TEAR_DOWN)
        return false;
    identity->was_gathered = true;
    log_warn("a worker ended while it undid things, starting it once more", LOG_TEXT("name", worker_name(worker)));
    identity->is_gathering = true;
    timer_set(identity->gather_timer, GATHER_DEADLINE);
    worker_start(identity->workers[IDENTITY_OWN]);
    return true;
}

void identity_stop_on_ended(struct identity *identity, struct worker *worker, enum worker_end end)
{
    enum identity_worker index = identity_index_of(identity, worker);

    if (end != WORKER_END_ORDERED && undoes_again(identity, worker))
        return;
    if (index == IDENTITY_OWN) {
        identity->is_gathering = false;
        timer_clear(identity->gather_timer);
    }
    if (end != WORKER_END_ORDERED && index == IDENTITY_NETADMIN)
        log_error("nat teardown did not finish: what is left goes with the network namespace",
                  LOG_PROBLEM(PROBLEM_LEFT_OVER));
    else if (end != WORKER_END_ORDERED && identity_changes_kernel(identity, index))
        log_error("a worker's teardown did not finish: routes and rules of ours may be left in containers",
                  LOG_PROBLEM(PROBLEM_LEFT_OVER), LOG_TEXT("name", worker_name(worker)));
    identity_stop_continue(identity, worker);
}

/* --- who asks for it ------------------------------------------------------------------------------------- */

int identity_on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct identity *identity = userdata;

    (void)source;
    if (identity->is_stopping || identity->is_gathering) {
        log_warn("second signal received, stopping at once");
        for (size_t i = 0; i < IDENTITY_WORKER_MAX_; i++)
            worker_kill(identity->workers[i]);
        return sd_event_exit(identity->event, identity->exit_status);
    }
    identity->stop_mode = role_choose_stop_mode(identity->stop_mode, info);
    log_info("signal received, shutting down", LOG_TEXT("signal", sigabbrev_np((int)info->ssi_signo)),
             LOG_BOOLEAN("state_stays", identity->stop_mode == STOP_KEEP_STATE));
    if (must_gather(identity)) {
        gather(identity);
        return 0;
    }
    begin_stop(identity, EXIT_STATUS_CLEAN);
    identity_stop_continue(identity, NULL);
    return 0;
}

void identity_stop(struct identity *identity, enum stop_mode mode, int exit_status)
{
    if (identity->is_stopping)
        return;
    identity->stop_mode = mode;
    begin_stop(identity, exit_status);
    identity_stop_continue(identity, NULL);
}
