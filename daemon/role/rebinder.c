/* The supervisor of the rebinders; see rebinder.h. Runs as root, reads only our own messages. */
#include "daemon/role/rebinder.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/role/control_worker.h"
#include "daemon/role/keeper_worker.h"
#include "daemon/role/monitoring.h"
#include "daemon/role/role.h"

#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

struct rebinder {
    const struct configuration *configuration;
    const struct gate_sockets *gate_sockets;
    sd_event *event;
    struct worker_definition gate_definition;
    struct worker_definition keeper_definition;
    struct worker *gate;
    struct worker *keeper;
    bool keeper_was_started; /* by the first start of the gate */
    struct readiness readiness;
    struct monitoring *monitoring; /* NULL: no metrics */
    bool had_keeper;               /* one of this supervisor's ran, and may have left something half-done */
    bool is_stopping;
    int exit_status;
};

static enum anchor_role role_of(const struct rebinder *rebinder)
{
    return rebinder->configuration->role == ROLE_WRAP_REBINDER ? ANCHOR_ROLE_WRAP_REBINDER
                                                               : ANCHOR_ROLE_EXTERNAL_REBINDER;
}

static void on_keeper_started(struct worker *keeper, void *userdata)
{
    struct rebinder *rebinder = userdata;

    keeper_worker_configure(keeper, rebinder->configuration, rebinder->gate_sockets, rebinder->had_keeper, false);
    rebinder->had_keeper = true;
    control_worker_on_started(rebinder->readiness.control, keeper);
}

static void take_readiness(struct rebinder *rebinder, uint32_t conditions)
{
    worker_await_docker(rebinder->gate, !(conditions & READINESS_DOCKER_CONNECTED));
    readiness_update(&rebinder->readiness, conditions);
}

static void on_keeper_message(struct worker *keeper, const struct message_header *message, void *userdata)
{
    struct rebinder *rebinder = userdata;

    switch (message->type) {
    case MESSAGE_READINESS:
        take_readiness(rebinder, ((const struct message_readiness *)message)->conditions);
        break;
    default:
        worker_refuse(keeper, message);
        break;
    }
}

static void stop(struct rebinder *rebinder, int exit_status)
{
    rebinder->is_stopping = true;
    rebinder->exit_status = exit_status;
    (void)sd_notify(false, "STOPPING=1");
    control_worker_on_stop(rebinder->readiness.control);
    worker_stop(rebinder->keeper, STOP_TEAR_DOWN, READERS_STOP_DEADLINE);
    if (!worker_is_running(rebinder->keeper))
        (void)sd_event_exit(rebinder->event, exit_status);
}

/* The keeper, or the gate without which it can do nothing. */
static void restart(struct rebinder *rebinder, struct worker *worker, enum worker_end end)
{
    if (!role_restart(&rebinder->readiness, worker, end, true))
        stop(rebinder, EXIT_STATUS_CONFIGURATION);
}

static void on_keeper_ended(struct worker *keeper, enum worker_end end, void *userdata)
{
    struct rebinder *rebinder = userdata;

    if (rebinder->is_stopping) {
        (void)sd_event_exit(rebinder->event, rebinder->exit_status);
        return;
    }
    take_readiness(rebinder, 0);
    restart(rebinder, keeper, end);
}

static void on_gate_started(struct worker *gate, void *userdata)
{
    struct rebinder *rebinder = userdata;

    gate_worker_configure(gate, rebinder->configuration, rebinder->gate_sockets);
    if (!rebinder->keeper_was_started)
        worker_start(rebinder->keeper);
    rebinder->keeper_was_started = true;
    control_worker_on_started(rebinder->readiness.control, gate);
}

/* In a stop it goes when everything is freed: the keeper may ask until its own end. */
static void on_gate_ended(struct worker *gate, enum worker_end end, void *userdata)
{
    struct rebinder *rebinder = userdata;

    if (!rebinder->is_stopping)
        restart(rebinder, gate, end);
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct rebinder *rebinder = userdata;

    (void)source;
    if (rebinder->is_stopping) {
        log_warn("second signal received, stopping at once");
        worker_kill(rebinder->keeper);
        return sd_event_exit(rebinder->event, rebinder->exit_status);
    }
    log_info("signal received, shutting down", LOG_TEXT("signal", sigabbrev_np((int)info->ssi_signo)));
    stop(rebinder, EXIT_STATUS_CLEAN);
    return 0;
}

static int make_workers(struct rebinder *rebinder, struct role_step *step)
{
    const struct worker_callbacks of_gate = {on_gate_started, NULL, on_gate_ended, rebinder};
    const struct worker_callbacks of_keeper = {on_keeper_started, on_keeper_message, on_keeper_ended, rebinder};
    int result;

    rebinder->gate_definition = gate_worker_definition(rebinder->configuration);
    rebinder->keeper_definition = keeper_worker_definition(rebinder->configuration);
    result = role_make_workers(rebinder->event, &rebinder->gate_definition, 1, &of_gate, &rebinder->gate, step);
    if (result < 0)
        return result;
    return role_make_workers(rebinder->event, &rebinder->keeper_definition, 1, &of_keeper, &rebinder->keeper, step);
}

static void release(struct rebinder *rebinder)
{
    rebinder->keeper = worker_free(rebinder->keeper);
    rebinder->gate = worker_free(rebinder->gate);
    rebinder->monitoring = monitoring_free(rebinder->monitoring);
    rebinder->readiness.control = control_worker_free(rebinder->readiness.control);
    rebinder->event = sd_event_unref(rebinder->event);
}

/* Without it the repairs are done as well; what is wrong has been said. */
static void prepare_control(struct rebinder *rebinder)
{
    if (control_worker_new(rebinder->event, rebinder->configuration, role_of(rebinder), &rebinder->readiness.control) <
        0)
        return;
    if (gate_worker_is_used(rebinder->configuration))
        control_worker_add(rebinder->readiness.control, (struct join_member){.worker = rebinder->gate});
    control_worker_add(rebinder->readiness.control, (struct join_member){rebinder->keeper, LINK_PEER_KEEPER});
    monitoring_show(rebinder->monitoring, rebinder->readiness.control, NULL);
    control_worker_on_readiness(rebinder->readiness.control, rebinder->readiness.required, 0);
    control_worker_start(rebinder->readiness.control);
}

int rebinder_run(const struct configuration *configuration, const struct gate_sockets *gate_sockets)
{
    CLEANUP(release)
    struct rebinder rebinder = {
        .configuration = configuration,
        .gate_sockets = gate_sockets,
        .readiness = {.required = READINESS_DOCKER_CONNECTED},
    };
    struct role_step step;
    int result = role_event_loop_new(on_stop_signal, &rebinder, &rebinder.event, &step);

    if (result == 0)
        result = make_workers(&rebinder, &step);
    if (result < 0)
        return role_cannot_prepare(&step, result);
    rebinder.monitoring = monitoring_new(rebinder.event, configuration, rebinder.readiness.required);
    monitoring_start(rebinder.monitoring);
    prepare_control(&rebinder);
    worker_start(gate_worker_is_used(configuration) ? rebinder.gate : rebinder.keeper);
    return role_run(rebinder.event);
}
