/* What the supervisors of all roles share; see role.h. Runs in the supervisor, as root. */
#include "daemon/role/role.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/role/control_worker.h"
#include "daemon/supervise/users.h"
#include "protocol/upkeep.h"

#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

static const struct {
    int number;
    const char *name;
} stop_signals[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}};

static int add_stop_signals(sd_event *event, sd_event_signal_handler_t on_stop_signal, void *userdata,
                            struct role_step *step)
{
    int result = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(stop_signals) && result >= 0; i++) {
        *step = (struct role_step){"receive a signal", stop_signals[i].name};
        result = sd_event_add_signal(event, NULL, stop_signals[i].number, on_stop_signal, userdata);
    }
    return result;
}

int role_event_loop_new(sd_event_signal_handler_t on_stop_signal, void *userdata, sd_event **ret,
                        struct role_step *step)
{
    sd_event *event = NULL;
    sigset_t blocked;
    int result;

    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LENGTH(stop_signals); i++)
        (void)sigaddset(&blocked, stop_signals[i].number);
    *step = (struct role_step){"block signals", "signal mask"};
    if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
        return -errno;
    *step = (struct role_step){"make an event loop", "epoll"};
    result = sd_event_new(&event);
    if (result >= 0)
        result = add_stop_signals(event, on_stop_signal, userdata, step);
    if (result >= 0) {
        *step = (struct role_step){"notify a watchdog", "WATCHDOG_USEC"};
        result = sd_event_set_watchdog(event, true); /* does nothing without WATCHDOG_USEC */
    }
    if (result < 0) {
        sd_event_unref(event);
        return result;
    }
    *ret = event;
    return 0;
}

enum stop_mode role_choose_stop_mode(enum stop_mode configured, const struct signalfd_siginfo *info)
{
    return info->ssi_signo == SIGUSR1 ? STOP_TEAR_DOWN : configured;
}

int role_make_workers(sd_event *event, const struct worker_definition *definitions, size_t count,
                      const struct worker_callbacks *callbacks, struct worker **workers, struct role_step *step)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        *step = (struct role_step){"prepare a worker", definitions[i].name};
        result = worker_new(event, &definitions[i], &callbacks[i], &workers[i]);
    }
    return result;
}

int role_cannot_prepare(const struct role_step *step, int result)
{
    log_error("cannot prepare the supervisor", LOG_TEXT("operation", step->operation), LOG_TEXT("object", step->object),
              LOG_ERROR(result));
    return EXIT_STATUS_CRASH;
}

struct worker_definition role_netadmin_definition(void)
{
    return (struct worker_definition){
        .name = "netadmin",
        .program = "anchord-netadmin",
        .user = NETADMIN_USER,
        .writer = METRICS_WRITER_NETADMIN,
        .capabilities = CAPABILITY_BIT(CAP_NET_ADMIN),
        .receives = DIRECTION_NETADMIN_TO_SUPERVISOR,
    };
}

bool role_restart(const struct readiness *readiness, struct worker *worker, enum worker_end end, bool is_needed)
{
    if (end == WORKER_END_PERMANENT && !readiness->was_ready && is_needed) {
        log_error("a worker cannot work as it is configured, giving up", LOG_TEXT("name", worker_name(worker)));
        return false;
    }
    worker_restart(worker);
    control_worker_on_changed(readiness->control);
    return true;
}

/* As sd_event_run(); what is to be reported and said before it sleeps is upkeep.h's. */
static int run_once(sd_event *event)
{
    int result = sd_event_prepare(event);

    if (result == 0)
        result = sd_event_wait(event, upkeep_before_sleep());
    return result > 0 ? sd_event_dispatch(event) : result;
}

void role_tell_configured(void)
{
    (void)sd_notify(false, "READY=1\nSTATUS=Starting");
}

int role_run_untold(sd_event *event)
{
    int status = EXIT_STATUS_CRASH;
    int result;

    (void)malloc_trim(0); /* what configuration and system call filter were made with */
    do
        result = run_once(event);
    while (result >= 0 && sd_event_get_state(event) != SD_EVENT_FINISHED);
    if (result >= 0)
        result = sd_event_get_exit_code(event, &status);
    if (result < 0) {
        log_error("the supervisor's event loop failed", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return status;
}

int role_run(sd_event *event)
{
    role_tell_configured();
    return role_run_untold(event);
}
