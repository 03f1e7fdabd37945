/* One dhcpcd; see dhcp_client.h. Runs in the supervisor, as root. */
#include "daemon/dhcp/dhcp_client.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "daemon/dhcp/dhcp_command_line.h"
#include "daemon/dhcp/dhcp_files.h"
#include "daemon/dhcp/lease_socket.h"
#include "daemon/dhcp/program_output.h"
#include "daemon/supervise/child.h"
#include "daemon/supervise/users.h"
#include "protocol/metrics.h"

#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LEASE_PROGRAM ANCHORD_WORKER_DIRECTORY "/anchord-lease"
/* From SIGTERM or SIGALRM to SIGKILL, when it is to start again; it needs 25 ms (measured). */
#define LEAVE_DEADLINE MICROSECONDS_PER_SECOND

enum stop { STOP_NONE, STOP_LEAVE, STOP_PAUSE, STOP_START_OVER, STOP_RELEASE, STOP_KEEP };

struct dhcp_client {
    sd_event *event;
    const struct configuration *configuration;
    uint8_t family; /* enum ip_family */
    struct dhcp_client_callbacks callbacks;
    char name[INTERFACE_NAME_SIZE];
    char interface[INTERFACE_NAME_SIZE]; /* to run on; empty: none */
    struct child child;
    struct program_output *errors; /* its standard error */
    struct program_output *report; /* its log, in which warnings and the rest are, too */
    enum stop stop;
    uint64_t start_delay;      /* microseconds, of STOP_PAUSE and STOP_START_OVER */
    struct ip_address ignored; /* a server */
    bool has_ended_for_good;
    bool has_released; /* it has said so, since its start */
};

const char *dhcp_client_program(void)
{
    static const char *const candidates[] = {"/usr/sbin/dhcpcd", "/sbin/dhcpcd"};

    for (size_t i = 0; i < ARRAY_LENGTH(candidates); i++) {
        if (access(candidates[i], X_OK) == 0)
            return candidates[i];
    }
    return NULL;
}

static size_t family_index(const struct dhcp_client *client)
{
    return client->family == IP_FAMILY_4 ? FAMILY_INDEX_4 : FAMILY_INDEX_6;
}

bool dhcp_client_is_running(const struct dhcp_client *client)
{
    return child_is_running(&client->child);
}

void dhcp_client_describe(const struct dhcp_client *client, struct wire_worker *ret)
{
    child_describe(&client->child, client->name, ret);
}

/* --- its end ------------------------------------------------------------------------------------------- */

static void signal_client(struct dhcp_client *client, int number)
{
    int result = child_signal(&client->child, number);

    if (result < 0)
        log_error("cannot signal the dhcp client", LOG_TEXT("family", ip_family_to_string(client->family)),
                  LOG_TEXT("signal", sigabbrev_np(number)), LOG_ERROR(result));
}

void dhcp_client_renew(struct dhcp_client *client)
{
    signal_client(client, SIGUSR1);
}

void dhcp_client_ask_again(struct dhcp_client *client)
{
    signal_client(client, SIGHUP);
}

void dhcp_client_kill(struct dhcp_client *client)
{
    signal_client(client, SIGKILL);
}

static void stop_for(struct dhcp_client *client, enum stop stop, uint64_t delay)
{
    if (!dhcp_client_is_running(client) || client->stop != STOP_NONE)
        return;
    client->stop = stop;
    client->start_delay = delay;
    signal_client(client, stop == STOP_START_OVER ? SIGALRM : SIGTERM);
    child_set_deadline(&client->child, LEAVE_DEADLINE);
}

void dhcp_client_start_over(struct dhcp_client *client, uint64_t delay)
{
    stop_for(client, STOP_START_OVER, delay);
}

void dhcp_client_pause(struct dhcp_client *client, uint64_t delay)
{
    stop_for(client, STOP_PAUSE, delay);
}

void dhcp_client_ignore_server(struct dhcp_client *client, const struct ip_address *server)
{
    client->ignored = *server;
}

void dhcp_client_end(struct dhcp_client *client, bool keeps_lease, uint64_t deadline)
{
    child_cancel_start(&client->child);
    client->has_ended_for_good = true;
    client->stop = keeps_lease ? STOP_KEEP : STOP_RELEASE;
    signal_client(client, keeps_lease ? SIGTERM : SIGALRM);
    child_set_deadline(&client->child, deadline);
}

static void free_output(struct dhcp_client *client)
{
    client->report = program_output_free(client->report);
    client->errors = program_output_free(client->errors);
}

static void schedule_restart(struct dhcp_client *client, struct log_field how)
{
    uint64_t delay = child_restart(&client->child);

    metrics_add(METRIC_DHCP_CLIENT_RESTARTS, family_index(client), 1);
    log_warn("dhcp client ended", LOG_TEXT("family", ip_family_to_string(client->family)), how,
             LOG_NUMBER("retry_in", delay / MICROSECONDS_PER_SECOND));
}

static void on_child_ended(const siginfo_t *info, void *userdata)
{
    struct dhcp_client *client = userdata;
    bool has_exited = info->si_code == CLD_EXITED;
    enum stop stop = client->stop;
    struct log_field how =
        has_exited ? LOG_NUMBER("status", info->si_status) : LOG_TEXT("status", sigabbrev_np(info->si_status));

    free_output(client);
    client->stop = STOP_NONE;
    if (stop == STOP_NONE && client->interface[0] != '\0')
        schedule_restart(client, how);
    else
        log_debug("dhcp client stopped", LOG_TEXT("family", ip_family_to_string(client->family)), how);
    if (stop != STOP_NONE && !client->has_ended_for_good && client->interface[0] != '\0')
        child_start_after(&client->child, stop == STOP_LEAVE ? 0 : client->start_delay);
    client->callbacks.on_ended(client,
                               stop == STOP_RELEASE && (client->has_released || (has_exited && info->si_status == 0)),
                               client->callbacks.userdata);
}

static void on_child_deadline(void *userdata)
{
    const struct dhcp_client *client = userdata;

    if (dhcp_client_is_running(client) && !client->has_released) /* 10.5 goes on for a second after its release */
        log_error("the dhcp client did not end in time, killing it",
                  LOG_TEXT("family", ip_family_to_string(client->family)));
}

/* --- its start ----------------------------------------------------------------------------------------- */

/*
 * One process, its short-lived script, lease files of a few hundred bytes. The number of processes counts for the user
 * on the whole machine, where other anchors run theirs: it only stops a runaway.
 */
static const struct spawn_limit limits[] = {
    {RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 1 << 20}, {RLIMIT_NOFILE, 64}, {RLIMIT_NPROC, 1024}, {RLIMIT_AS, 128 << 20},
};

static int spawn(struct dhcp_client *client, int report_fd, int error_fd)
{
    static struct dhcp_command_line line; /* big, and done with after fork */
    struct sockaddr_un socket_address;
    const struct dhcp_places places = {dhcp_files_configuration(), LEASE_PROGRAM, socket_address.sun_path};
    struct spawn_request request = {
        .program = dhcp_client_program(),
        .arguments = line.arguments,
        .privileges = {.user = DHCP_USER,
                       .group = DHCP_USER,
                       .capabilities = CAPABILITY_BIT(CAP_NET_RAW) | CAPABILITY_BIT(CAP_NET_BIND_SERVICE),
                       .death_signal = SIGTERM},
        .supervisor_fd = -1,
        .output_fd = report_fd,
        .error_fd = error_fd,
        .limits = limits,
        .limit_count = ARRAY_LENGTH(limits),
        .ignores_requests = true, /* one that was meant for its predecessor, too */
    };
    int result = lease_socket_address(&socket_address);

    if (!request.program)
        return -ENOENT;
    if (result == 0)
        result = dhcp_command_line_make(client->configuration, client->family, client->interface, &places,
                                        &client->ignored, &line);
    return result < 0 ? result : child_spawn(&client->child, &request);
}

static struct dhcp_saying saying_of(const struct dhcp_client *client, const char *line)
{
    return dhcp_saying_parse(client->interface, line);
}

static enum log_level on_error_line(const char *line, void *userdata)
{
    return saying_of(userdata, line).kind == DHCP_SAYING_OTHER ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
}

/* "Nov 29 21:02:20 [123]: eth0: offered 192.0.2.9 from 192.0.2.1" */
static enum log_level on_report_line(const char *line, void *userdata)
{
    struct dhcp_client *client = userdata;
    const char *end_of_head = strstr(line, "]: ");
    struct dhcp_saying saying = saying_of(client, end_of_head ? end_of_head + strlen("]: ") : line);

    if (saying.kind == DHCP_SAYING_RELEASED)
        client->has_released = true;
    else if (saying.kind > DHCP_SAYING_HARMLESS && client->stop == STOP_NONE)
        client->callbacks.on_said(client, &saying, client->callbacks.userdata);
    return LOG_LEVEL_DEBUG;
}

static int start(struct dhcp_client *client)
{
    const char *family = ip_family_to_string(client->family);
    CLEANUP_FD int report_fd = -1;
    CLEANUP_FD int error_fd = -1;
    int result = program_output_new(client->event, "dhcp client reports", family, on_report_line, client,
                                    &client->report, &report_fd);

    if (result == 0)
        result = program_output_new(client->event, "dhcp client says", family, on_error_line, client, &client->errors,
                                    &error_fd);
    if (result == 0)
        result = spawn(client, report_fd, error_fd);
    if (result < 0)
        return result;
    client->has_released = false;
    return 0;
}

static void on_child_start_time(void *userdata)
{
    struct dhcp_client *client = userdata;
    char identifier[DHCP_UNIQUE_IDENTIFIER_SIZE];
    int result;

    if (dhcp_client_is_running(client) || client->interface[0] == '\0')
        return;
    child_note_start(&client->child);
    result = start(client);
    if (result < 0) {
        free_output(client);
        log_error("cannot start the dhcp client", LOG_TEXT("family", ip_family_to_string(client->family)),
                  LOG_ERROR(result));
        schedule_restart(client, LOG_TEXT("status", "not started"));
        return;
    }
    dhcp_command_line_unique_identifier(client->configuration->dhcp_name, identifier);
    log_info("dhcp client started", LOG_TEXT("family", ip_family_to_string(client->family)),
             LOG_NUMBER("pid", client->child.pid), LOG_TEXT("interface", client->interface),
             client->family == IP_FAMILY_4 ? LOG_TEXT("client_id", client->configuration->dhcp_name)
                                           : LOG_TEXT("duid", identifier));
    client->callbacks.on_started(client, client->callbacks.userdata);
}

void dhcp_client_set_interface(struct dhcp_client *client, const char *interface)
{
    if (client->has_ended_for_good || strcmp(client->interface, interface) == 0)
        return;
    text_copy_cut(client->interface, sizeof(client->interface), interface);
    child_cancel_start(&client->child);
    if (!dhcp_client_is_running(client)) {
        if (interface[0] != '\0')
            child_start_after(&client->child, 0);
        return;
    }
    client->stop = STOP_LEAVE; /* and on to the other interface, if there is one */
    signal_client(client, SIGTERM);
    child_set_deadline(&client->child, LEAVE_DEADLINE);
}

/* --- construction -------------------------------------------------------------------------------------- */

struct dhcp_client *dhcp_client_free(struct dhcp_client *client)
{
    if (!client)
        return NULL;
    child_release(&client->child);
    free_output(client);
    sd_event_unref(client->event);
    free(client);
    return NULL;
}

int dhcp_client_new(sd_event *event, const struct configuration *configuration, uint8_t family,
                    const struct dhcp_client_callbacks *callbacks, struct dhcp_client **ret)
{
    CLEANUP(dhcp_client_freep) struct dhcp_client *client = calloc(1, sizeof(*client));
    const struct child_callbacks child_callbacks = {on_child_start_time, NULL, on_child_ended, on_child_deadline,
                                                    client};
    int result;

    if (!client)
        return -ENOMEM;
    client->event = sd_event_ref(event);
    client->configuration = configuration;
    client->family = family;
    client->callbacks = *callbacks;
    client->child.policy.longest_delay = configuration->dhcp_backoff_max_milliseconds * MICROSECONDS_PER_MILLISECOND;
    text_copy_cut(client->name, sizeof(client->name), family == IP_FAMILY_4 ? "dhcp4" : "dhcp6");
    result = child_prepare(&client->child, event, &child_callbacks);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(client);
    return 0;
}
