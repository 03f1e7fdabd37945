/* The exporter as a whole; see exporter.h. Runs in anchord-exporter without any privilege. */
#include "workers/exporter/exporter.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/channel.h"
#include "protocol/metrics.h"
#include "workers/exporter/server.h"

#include <seccomp.h>

/* 3 standard streams, supervisor, memory use, two epolls, a timer, the listener, and the connections. */
#define OPEN_FILES_MAX (16 + SERVER_CONNECTIONS_MAX)

/* libmicrohttpd on sockets that it accepts; it makes none. */
static const int system_calls[] = {
    SCMP_SYS(accept4),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
};

/* However many scrape. */
#define ASK_INTERVAL (500 * MICROSECONDS_PER_MILLISECOND)

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
};

struct exporter {
    sd_event *event;
    struct channel *supervisor;
    struct server *server; /* NULL until CONFIGURE_EXPORTER */
    struct metrics_view view;
    uint64_t asked_at; /* for counters; CLOCK_MONOTONIC, microseconds */
};

/* The loop ends with an exit status; sd_event_exit() can only fail on a loop that has ended. */
static void end(struct exporter *exporter, enum exit_status status)
{
    (void)sd_event_exit(exporter->event, (int)status);
}

/* Netadmin reads what it counts only when somebody wants to know; the next scrape has it. */
static void on_metrics(void *userdata)
{
    struct exporter *exporter = userdata;
    const struct message_ping wanted = {.header = message_header_make(MESSAGE_COUNTERS_WANTED, sizeof(wanted), 0)};
    uint64_t now = clock_monotonic_microseconds();

    if (now - exporter->asked_at < ASK_INTERVAL)
        return;
    exporter->asked_at = now;
    (void)channel_send_message(exporter->supervisor, &wanted); /* on_supervisor_closed tells of a failure */
}

static void configure(struct exporter *exporter, const struct message_configure_exporter *configuration, int listener)
{
    const char *step = NULL;
    int result;

    if (exporter->server) {
        log_error("second CONFIGURE_EXPORTER from the supervisor, ignoring");
        close_fd(&listener);
        return;
    }
    log_set_level((enum log_level)configuration->log_level);
    result = server_new(exporter->event, listener, &exporter->view, on_metrics, exporter, &exporter->server);
    if (result < 0) {
        log_error("cannot serve HTTP", LOG_ERROR(result));
        end(exporter, EXIT_STATUS_CRASH);
        return;
    }
    result = sandbox_seal(&profile, &step);
    if (result < 0) {
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
        end(exporter, EXIT_STATUS_SANDBOX);
    }
}

static void take_page(struct exporter *exporter, const struct message_metrics_page *message, int page)
{
    enum metrics_writer writer = (enum metrics_writer)message->writer;
    int result;

    if (message->access == METRICS_ACCESS_WRITE)
        result = metrics_open(page, writer);
    else
        result = metrics_map(page, writer, &exporter->view.pages[writer]);
    if (result < 0)
        log_error("cannot use a metrics page", LOG_TEXT("writer", metrics_writer_to_string(writer)), LOG_ERROR(result));
}

static void on_supervisor_message(struct channel *channel, const struct message_header *message, int descriptor,
                                  void *userdata)
{
    struct exporter *exporter = userdata;

    switch (message->type) {
    case MESSAGE_CONFIGURE_EXPORTER:
        configure(exporter, (const struct message_configure_exporter *)message, descriptor);
        break;
    case MESSAGE_METRICS_PAGE:
        take_page(exporter, (const struct message_metrics_page *)message, descriptor);
        break;
    case MESSAGE_STOP:
        end(exporter, EXIT_STATUS_CLEAN);
        break;
    case MESSAGE_PING:
        (void)channel_send_pong(channel, message); /* on_supervisor_closed tells of a failure */
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* Without a supervisor nobody would restart or stop us: end at once. */
static void on_supervisor_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    if (error < 0)
        log_error("connection to the supervisor ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    end(userdata, EXIT_STATUS_CRASH);
}

int exporter_new(sd_event *event, struct exporter **ret)
{
    CLEANUP(exporter_freep) struct exporter *exporter = calloc(1, sizeof(*exporter));
    struct channel_callbacks callbacks = {.on_message = on_supervisor_message, .on_closed = on_supervisor_closed};
    int result;

    if (!exporter)
        return -ENOMEM;
    exporter->event = event;
    callbacks.userdata = exporter;
    result =
        channel_new(event, SUPERVISOR_DESCRIPTOR, DIRECTION_SUPERVISOR_TO_EXPORTER, &callbacks, &exporter->supervisor);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(exporter);
    return 0;
}

struct exporter *exporter_free(struct exporter *exporter)
{
    if (!exporter)
        return NULL;
    (void)server_free(exporter->server);
    (void)channel_free(exporter->supervisor);
    free(exporter); /* the pages stay mapped: the process ends */
    return NULL;
}
