/* What the supervisors of all roles share; see role.h. Runs in the supervisor, as root. */
#include "daemon/role/role.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/role/control_worker.h"
#include "protocol/channel.h"
#include "protocol/metrics.h"

#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#define UNMET_TEXT_SIZE 128 /* all names of conditions together */

static const struct {
    int number;
    const char *name;
} stop_signals[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}};

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

int role_make_workers(sd_event *event, const struct worker_definition *definitions, size_t count,
                      const struct worker_callbacks *callbacks, struct worker **workers, struct role_step *step)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        *step = (struct role_step){"prepare a worker", definitions[i].name};
        result = worker_new(event, &definitions[i], callbacks, &workers[i]);
    }
    return result;
}

int role_cannot_prepare(const struct role_step *step, int result)
{
    log_error("cannot prepare the supervisor", LOG_TEXT("operation", step->operation), LOG_TEXT("object", step->object),
              LOG_ERROR(result));
    return EXIT_STATUS_CRASH;
}

struct worker_definition role_netadmin_definition(const char *argument)
{
    return (struct worker_definition){
        .name = "netadmin",
        .program = "anchord-netadmin",
        .argument = argument,
        .user = NETADMIN_USER,
        .writer = METRICS_WRITER_NETADMIN,
        .capabilities = CAPABILITY_BIT(CAP_NET_ADMIN),
        .receives = DIRECTION_NETADMIN_TO_SUPERVISOR,
    };
}

void role_join(struct role_member one, struct role_member other)
{
    struct message_link to_one = {
        .header = message_header_make(MESSAGE_LINK, sizeof(to_one), 0),
        .peer = other.name,
    };
    struct message_link to_other = to_one;
    int ends[2];
    int result;

    if (!worker_is_running(one.worker) || !worker_is_running(other.worker))
        return;
    result = channel_make_pair(ends);
    if (result < 0) {
        log_error("cannot join the workers, restarting one of them", LOG_ERROR(result));
        worker_kill(one.worker);
        return;
    }
    to_other.peer = one.name;
    worker_send(one.worker, &to_one.header, ends[0]);
    worker_send(other.worker, &to_other.header, ends[1]);
    close_fd(&ends[0]);
    close_fd(&ends[1]);
}

/* "route_installed: false" of all conditions that do not hold, separated by commas. */
static const char *format_unmet(uint32_t unmet, char text[UNMET_TEXT_SIZE])
{
    size_t length = 0;

    text[0] = '\0';
    for (uint32_t condition = 1; condition <= READINESS_ALL_; condition <<= 1) {
        if (unmet & condition)
            length += (size_t)snprintf(text + length, UNMET_TEXT_SIZE - length, "%s%s: false", length > 0 ? ", " : "",
                                       readiness_condition_to_string(condition));
    }
    return text;
}

void role_update_readiness(struct role_readiness *readiness, uint32_t held)
{
    bool is_ready = (held & readiness->required) == readiness->required;
    char unmet[UNMET_TEXT_SIZE];

    metrics_set_readiness(readiness->required, held);
    metrics_set(METRIC_DOCKER_REACHABLE, 0, held & READINESS_DOCKER_CONNECTED ? 1 : 0);
    control_worker_on_readiness(readiness->control, readiness->required, held);
    if (is_ready == readiness->is_ready)
        return;
    readiness->is_ready = is_ready;
    if (!is_ready) {
        log_warn("anchord is not ready any more", LOG_TEXT("unmet", format_unmet(readiness->required & ~held, unmet)));
        return;
    }
    readiness->was_ready = true;
    log_info("anchord ready");
    (void)sd_notify(false, "READY=1\nSTATUS=ready"); /* without a NOTIFY_SOCKET nobody waits for it */
}

bool role_restart(const struct role_readiness *readiness, struct worker *worker, enum worker_end end, bool is_needed)
{
    if (end == WORKER_END_PERMANENT && !readiness->was_ready && is_needed) {
        log_error("a worker cannot work as it is configured, giving up", LOG_TEXT("name", worker_name(worker)));
        return false;
    }
    worker_restart(worker);
    control_worker_on_changed(readiness->control);
    return true;
}

int role_run(sd_event *event)
{
    int result;

    (void)malloc_trim(0); /* what configuration and system call filter were made with */
    result = sd_event_loop(event);

    if (result < 0) {
        log_error("the supervisor's event loop failed", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return result;
}
