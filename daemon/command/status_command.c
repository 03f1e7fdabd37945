/* The commands `anchord status` and `anchord healthcheck`; see status_command.h. Runs as whoever types them. */
#include "daemon/command/status_command.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/attached_status.h"
#include "daemon/command/status_html.h"
#include "daemon/command/status_output.h"
#include "protocol/control_interface.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#define WATCH_INTERVAL MICROSECONDS_PER_SECOND

static int report_failure(const char *command, int error)
{
    bool nothing_runs = error == -ENOENT || error == -ECONNREFUSED;
    const char *text = nothing_runs                          ? "anchord does not run here"
                       : error == -EACCES || error == -EPERM ? "only root may ask"
                       : error == -ETIMEDOUT                 ? "anchord does not answer"
                                                             : log_errno_text(error);

    (void)fprintf(stderr, "anchord %s: %s\n", command, text);
    return nothing_runs ? EXIT_STATUS_NOTHING_RUNS : EXIT_STATUS_CONFIGURATION;
}

enum form { FORM_TEXT, FORM_JSON, FORM_HTML };

static int print_status(sd_bus *bus, enum form form)
{
    CLEANUP(control_client_clear) struct status status = {0};
    int result;

    control_client_read_counters(bus);
    result = control_client_read(bus, &status);
    if (result < 0)
        return result;
    switch (form) {
    case FORM_JSON:
        return status_output_json(&status);
    case FORM_HTML:
        return status_html_print(&status, clock_real_nanoseconds());
    case FORM_TEXT:
        status_output_text(&status);
        break;
    }
    return 0;
}

/* --- --watch ------------------------------------------------------------------------------------------- */

struct watch {
    sd_event *event;
    sd_bus *bus; /* NULL while anchord does not run */
    sd_event_source *timer;
    enum form form;
};

static void watch_clear(struct watch *watch)
{
    watch->bus = sd_bus_flush_close_unref(watch->bus);
    sd_event_source_disable_unref(watch->timer);
    watch->event = sd_event_unref(watch->event);
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct watch *watch = userdata;

    (void)message;
    (void)ret_error;
    return sd_event_source_set_time_relative(watch->timer, 0); /* draws from the event loop, not from within sd-bus */
}

static int connect_watch(struct watch *watch)
{
    int result = control_client_open(&watch->bus);

    if (result == 0)
        result = sd_bus_match_signal(watch->bus, NULL, NULL, CONTROL_OBJECT, "org.freedesktop.DBus.Properties",
                                     "PropertiesChanged", on_changed, watch);
    if (result >= 0)
        result = sd_bus_attach_event(watch->bus, watch->event, SD_EVENT_PRIORITY_NORMAL);
    return result < 0 ? result : 0;
}

static int on_draw(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct watch *watch = userdata;
    int result = watch->bus ? 0 : connect_watch(watch);

    (void)planned;
    if (isatty(STDOUT_FILENO))
        (void)fputs("\033[H\033[2J", stdout); /* ECMA-48: cursor home, erase the page */
    if (result == 0)
        result = print_status(watch->bus, watch->form);
    if (result < 0) {
        (void)report_failure("status", result);
        watch->bus = sd_bus_flush_close_unref(watch->bus);
    }
    if (fflush(stdout) != 0) /* the reader has gone */
        return sd_event_exit(watch->event, EXIT_STATUS_CLEAN);
    result = sd_event_source_set_time_relative(source, WATCH_INTERVAL);
    return result < 0 ? result : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int watch_status(enum form form)
{
    CLEANUP(watch_clear) struct watch watch = {.form = form};
    sigset_t signals;
    int result;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return report_failure("status", -errno);
    result = sd_event_new(&watch.event);
    if (result >= 0)
        result = sd_event_add_signal(watch.event, NULL, SIGINT, NULL, NULL); /* without a handler: the loop ends */
    if (result >= 0)
        result = sd_event_add_signal(watch.event, NULL, SIGTERM, NULL, NULL);
    if (result >= 0)
        result = sd_event_add_time_relative(watch.event, &watch.timer, CLOCK_MONOTONIC, 0, 0, on_draw, &watch);
    if (result >= 0)
        result = sd_event_loop(watch.event);
    return result < 0 ? report_failure("status", result) : EXIT_STATUS_CLEAN;
}

/* --- the commands -------------------------------------------------------------------------------------- */

/* Of the anchor in whose container a process lives, by its PID here; for anchord-doctor, as root on the host. What a
 * container says nobody reads who is root. */
static int print_status_of(const char *process)
{
    CLEANUP(attached_status_clear) struct attached_status status = {0};
    CLEANUP_FD int fd = -1;
    const char *step;
    uint64_t pid = 0;
    int result = text_to_number(process, strlen(process), INT32_MAX, &pid);

    if (result == 0)
        result = attached_status_connect((uint32_t)pid, &fd);
    if (result == 0 && sandbox_become_nobody(&step) < 0)
        return EXIT_STATUS_SANDBOX;
    if (result == 0)
        result = attached_status_take(TAKE_FD(fd), &status);
    if (result == 0)
        result = status_output_json(&status.status);
    return result < 0 ? report_failure("status", result) : EXIT_STATUS_CLEAN;
}

int status_command(int argc, char **argv)
{
    CLEANUP(control_client_closep) sd_bus *bus = NULL;
    enum form form = FORM_TEXT;
    bool watches = false, is_page = false;
    int result;

    if (argc == 3 && strcmp(argv[0], "--json") == 0 && strcmp(argv[1], "--pid") == 0)
        return print_status_of(argv[2]);
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            form = FORM_JSON;
        } else if (strcmp(argv[i], "--html") == 0) {
            form = FORM_HTML;
            is_page = true;
        } else if (strcmp(argv[i], "--watch") == 0) {
            watches = true;
        } else {
            (void)fprintf(stderr, "anchord status: unknown argument %s; there are --html, --json, --watch and --help\n",
                          argv[i]);
            return EXIT_STATUS_CONFIGURATION;
        }
    }
    if (is_page && argc > 1) {
        (void)fputs("anchord status: --html is one page, and goes with nothing else\n", stderr);
        return EXIT_STATUS_CONFIGURATION;
    }
    if (watches)
        return watch_status(form);
    result = control_client_open(&bus);
    if (result == 0)
        result = print_status(bus, form);
    return result < 0 ? report_failure("status", result) : EXIT_STATUS_CLEAN;
}

int status_command_healthcheck(int argc, char **argv)
{
    CLEANUP(control_client_closep) sd_bus *bus = NULL;
    CLEANUP(control_client_clear) struct status status = {0};
    size_t unmet;
    int result;

    (void)argc;
    (void)argv;
    result = control_client_open(&bus);
    if (result == 0)
        result = control_client_read(bus, &status);
    if (result < 0) {
        (void)report_failure("healthcheck", result);
        return EXIT_STATUS_CONFIGURATION;
    }
    unmet = status.lists[STATUS_UNMET_CONDITIONS].row_count;
    for (size_t i = 0; i < unmet; i++)
        (void)printf("%s: false\n", control_client_cell(&status, STATUS_UNMET_CONDITIONS, i, 0)->text);
    if (status.is_ready)
        (void)puts("ready");
    return status.is_ready ? EXIT_STATUS_CLEAN : EXIT_STATUS_CONFIGURATION;
}
