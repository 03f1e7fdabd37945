/* Pages, listening socket and exporter; see monitoring.h. Runs in the supervisor, as root. */
#include "daemon/role/monitoring.h"

#include "common/clock.h"
#include "common/process_usage.h"
#include "daemon/role/metrics_listener.h"
#include "daemon/supervise/metrics_store.h"
#include "daemon/supervise/restart_policy.h"
#include "daemon/supervise/timer.h"
#include "daemon/supervise/users.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"

#include <fcntl.h>

#define TIMER_ACCURACY (10 * MICROSECONDS_PER_MILLISECOND)

struct monitoring {
    const struct configuration *configuration;
    struct worker_definition definition;
    struct worker *exporter;
    struct worker *netadmin;        /* or NULL */
    struct control_worker *control; /* that lists it, or NULL */
    sd_event_source *listen_timer;  /* the next try to listen */
    struct restart_policy listen_policy;
    int listener;   /* -1: not yet */
    bool may_start; /* the exporter, when there is a listener */
};

static void send_view(struct worker *exporter, enum metrics_writer writer)
{
    struct message_metrics_page message = {
        .header = message_header_make(MESSAGE_METRICS_PAGE, sizeof(message), 0),
        .writer = writer,
        .access = METRICS_ACCESS_READ,
    };

    worker_send(exporter, &message.header, metrics_store_view(writer));
}

static void on_exporter_started(struct worker *exporter, void *userdata)
{
    const struct monitoring *monitoring = userdata;
    struct message_configure_exporter message = {
        .header = message_header_make(MESSAGE_CONFIGURE_EXPORTER, sizeof(message), 0),
        .log_level = monitoring->configuration->log_level,
    };

    for (enum metrics_writer writer = 0; writer < METRICS_WRITER_MAX_; writer++)
        send_view(exporter, writer);
    worker_send(exporter, &message.header, monitoring->listener);
    control_worker_on_started(monitoring->control, exporter);
}

static void on_exporter_ended(struct worker *exporter, enum worker_end end, void *userdata)
{
    const struct monitoring *monitoring = userdata;

    (void)end;
    worker_restart(exporter);
    control_worker_on_changed(monitoring->control);
}

/* Whoever scrapes wants to know what was counted. */
static void on_exporter_message(struct worker *exporter, const struct message_header *message, void *userdata)
{
    const struct monitoring *monitoring = userdata;

    switch (message->type) {
    case MESSAGE_COUNTERS_WANTED:
        if (monitoring->netadmin && worker_is_running(monitoring->netadmin))
            worker_send(monitoring->netadmin, message, -1);
        break;
    default:
        worker_refuse(exporter, message);
        break;
    }
}

static void start_exporter(const struct monitoring *monitoring)
{
    if (monitoring->may_start && monitoring->listener >= 0)
        worker_start(monitoring->exporter);
}

/* Listens, or says once why not and tries again after 1, 2, 4 … 60 s: a predecessor may still be about to die. */
static int on_listen_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct monitoring *monitoring = userdata;
    const struct configuration_listener *address = &monitoring->configuration->metrics;
    bool is_first = monitoring->listen_policy.failures == 0;
    int result = metrics_listener_open(address, &monitoring->listener);

    (void)planned;
    control_worker_set_faults(monitoring->control, SUPERVISOR_FAULT_NO_METRICS, result < 0);
    if (result == 0) {
        start_exporter(monitoring);
        return 0;
    }
    if (is_first)
        log_warn("no metrics and no health over HTTP: cannot listen, trying again", LOG_PROBLEM(PROBLEM_NO_METRICS),
                 LOG_TEXT("variable", "ANCHORD_METRICS_ADDR"), LOG_NUMBER("port", address->port), LOG_ERROR(result));
    timer_set(source, restart_policy_next_delay(&monitoring->listen_policy, clock_monotonic_microseconds()));
    return 0;
}

/* The supervisor's page has its header already: another one wrote it, and died. */
static bool has_predecessor(void)
{
    const struct metrics_page *page;
    int view = fcntl(metrics_store_view(METRICS_WRITER_SUPERVISOR), F_DUPFD_CLOEXEC, 0);

    return view >= 0 && metrics_map(view, METRICS_WRITER_SUPERVISOR, &page) == 0;
}

/* Every page gets its header now, so that the exporter can read it before its writer runs. */
static int open_pages(void)
{
    int result = metrics_store_open();
    bool is_restart = result == 0 && has_predecessor();

    for (int writer = METRICS_WRITER_MAX_ - 1; writer >= 0 && result == 0; writer--) {
        int page = fcntl(metrics_store_page((enum metrics_writer)writer), F_DUPFD_CLOEXEC, 0);

        result = page < 0 ? -errno : metrics_open(page, (enum metrics_writer)writer);
    }
    static_assert(METRICS_WRITER_SUPERVISOR == 0, "the last page that is opened stays: it is our own");
    if (result < 0)
        return result;
    process_usage_prepare();
    metrics_set(METRIC_BUILD_INFO, 0, 1);
    metrics_add(METRIC_WORKER_RESTARTS, METRICS_WRITER_SUPERVISOR, is_restart);
    metrics_report_process();
    return 0;
}

static int prepare(struct monitoring *monitoring, sd_event *event)
{
    const struct worker_callbacks callbacks = {on_exporter_started, on_exporter_message, on_exporter_ended, monitoring};
    int result = open_pages();

    if (result == 0)
        result = worker_new(event, &monitoring->definition, &callbacks, &monitoring->exporter);
    if (result == 0)
        result =
            timer_new(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_listen_time, monitoring, &monitoring->listen_timer);
    if (result < 0)
        return result;
    restart_policy_started(&monitoring->listen_policy, clock_monotonic_microseconds());
    timer_set(monitoring->listen_timer, 0);
    return 0;
}

struct monitoring *monitoring_new(sd_event *event, const struct configuration *configuration, uint32_t required)
{
    CLEANUP(monitoring_freep) struct monitoring *monitoring = NULL;
    int result;

    if (!configuration->metrics.is_enabled)
        return NULL;
    monitoring = calloc(1, sizeof(*monitoring));
    if (!monitoring) {
        log_error("no metrics", LOG_ERROR(-ENOMEM));
        return NULL;
    }
    monitoring->configuration = configuration;
    monitoring->listener = -1;
    monitoring->definition = (struct worker_definition){
        .name = "exporter",
        .program = "anchord-exporter",
        .user = EXPORTER_USER,
        .receives = DIRECTION_EXPORTER_TO_SUPERVISOR,
        .writer = METRICS_WRITER_EXPORTER,
    };
    result = prepare(monitoring, event);
    if (result < 0) {
        log_error("no metrics: their pages cannot be made", LOG_ERROR(result));
        return NULL;
    }
    metrics_set_readiness(required, 0);
    return TAKE_POINTER(monitoring);
}

void monitoring_start(struct monitoring *monitoring)
{
    if (!monitoring || monitoring->may_start)
        return;
    monitoring->may_start = true;
    start_exporter(monitoring);
}

void monitoring_show(struct monitoring *monitoring, struct control_worker *control, struct worker *netadmin)
{
    if (!monitoring)
        return;
    monitoring->control = control;
    monitoring->netadmin = netadmin;
    control_worker_add(control, (struct join_member){.worker = monitoring->exporter}); /* nobody is joined to it */
}

struct monitoring *monitoring_free(struct monitoring *monitoring)
{
    if (!monitoring)
        return NULL;
    (void)worker_free(monitoring->exporter);
    sd_event_source_disable_unref(monitoring->listen_timer);
    close_fd(&monitoring->listener);
    free(monitoring);
    return NULL;
}
