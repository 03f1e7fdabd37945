/* One worker of the supervisor; see worker.h. Runs in the supervisor, as root. */
#include "daemon/supervise/worker.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "daemon/supervise/child.h"
#include "daemon/supervise/docker_credentials.h"
#include "daemon/supervise/docker_socket.h"
#include "daemon/supervise/metrics_store.h"
#include "daemon/supervise/timer.h"
#include "protocol/channel.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* A worker that does not read is replaced within 15 s: it is seen at the next look, and then has the answer's time. */
#define LOOK_INTERVAL (7500 * MICROSECONDS_PER_MILLISECOND)
#define ANSWER_LIMIT  (6500 * MICROSECONDS_PER_MILLISECOND)
/* Between two looks, when the later one is at the moment of all workers. */
#define LOOK_LEAST (500 * MICROSECONDS_PER_MILLISECOND)
/* Wide enough for all workers to be looked at in one wake-up. */
#define LOOK_ACCURACY (250 * MICROSECONDS_PER_MILLISECOND)
/* A worker that closed its channel is about to exit: its status is worth waiting for. */
#define EXIT_GRACE MICROSECONDS_PER_SECOND

struct worker {
    sd_event *event;
    const struct worker_definition *definition;
    struct worker_callbacks callbacks;
    struct child child;
    struct channel *channel;
    sd_event_source *look_timer;
    sd_event_source *failed_start_source; /* defers on_ended to the event loop */
    enum worker_end failed_start;
    bool has_docker_group; /* the running process may open Docker's socket by docker_group */
    gid_t docker_group;
    uint64_t asked_at; /* monotonic microseconds of the last PING */
    uint64_t ping_generation;
    uint64_t pong_generation;
    bool awaits_docker; /* nobody can read Docker: its socket may come, or come back with another group */
    bool is_stopping;
};

const char *worker_name(const struct worker *worker)
{
    return worker->definition->name;
}

bool worker_is_running(const struct worker *worker)
{
    return child_is_running(&worker->child);
}

void worker_describe(const struct worker *worker, struct wire_worker *ret)
{
    child_describe(&worker->child, worker_name(worker), ret);
}

void worker_kill(struct worker *worker)
{
    int result = child_signal(&worker->child, SIGKILL);

    if (result < 0)
        log_error("cannot kill a worker", LOG_TEXT("name", worker_name(worker)), LOG_ERROR(result));
}

/* At the same moments for all workers, whenever they were started: one wake-up looks at all of them. */
static uint64_t until_next_look(uint64_t now)
{
    return LOOK_INTERVAL + LOOK_LEAST - (now + LOOK_LEAST) % LOOK_INTERVAL;
}

/* At the next moment; a look that is to come already comes as it was to. */
static void look_later(struct worker *worker)
{
    int is_set = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(worker->look_timer, &is_set);
    if (is_set == SD_EVENT_OFF)
        timer_set(worker->look_timer, until_next_look(clock_monotonic_microseconds()));
}

/* Only who was sent something can have left it unread: while nothing is sent nobody is looked at. */
void worker_send(struct worker *worker, const struct message_header *message, int descriptor)
{
    if (!worker->channel)
        return;
    (void)channel_send(worker->channel, message, descriptor); /* on_channel_closed() hears of a failure */
    look_later(worker);
}

void worker_await_docker(struct worker *worker, bool is_awaited)
{
    worker->awaits_docker = is_awaited;
    if (is_awaited && worker_is_running(worker))
        look_later(worker);
}

void worker_stop(struct worker *worker, enum stop_mode mode, uint64_t deadline)
{
    struct message_stop stop = {
        .header = message_header_make(MESSAGE_STOP, sizeof(stop), 0),
        .mode = mode,
    };

    child_cancel_start(&worker->child);
    (void)sd_event_source_set_enabled(worker->failed_start_source, SD_EVENT_OFF);
    if (!worker_is_running(worker) || worker->is_stopping) /* asking again would put the deadline off */
        return;
    worker->is_stopping = true;
    worker_send(worker, &stop.header, -1);
    child_set_deadline(&worker->child, deadline);
}

static void on_channel_message(struct channel *channel, const struct message_header *message, int descriptor,
                               void *userdata)
{
    struct worker *worker = userdata;

    (void)channel;
    close_fd(&descriptor); /* no worker sends one: the table has refused it already */
    switch (message->type) {
    case MESSAGE_PONG:
        worker->pong_generation = message->generation;
        break;
    default:
        if (worker->callbacks.on_message)
            worker->callbacks.on_message(worker, message, worker->callbacks.userdata);
        else
            worker_refuse(worker, message);
        break;
    }
}

void worker_refuse(struct worker *worker, const struct message_header *message)
{
    channel_refuse(worker->channel, message, -1);
}

static void on_channel_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct worker *worker = userdata;

    worker->channel = channel_free(channel);
    if (error == 0 || error == -EPIPE || error == -ECONNRESET) {
        if (!worker->is_stopping)
            child_set_deadline(&worker->child, EXIT_GRACE);
        return;
    }
    log_error("a worker's channel failed, killing it", LOG_TEXT("name", worker_name(worker)),
              LOG_TEXT("reason", reason), LOG_ERROR(error));
    worker_kill(worker);
}

static void on_child_ended(const siginfo_t *info, void *userdata)
{
    struct worker *worker = userdata;
    bool has_exited = info->si_code == CLD_EXITED;
    struct log_field how =
        has_exited ? LOG_NUMBER("status", info->si_status) : LOG_TEXT("signal", sigabbrev_np(info->si_status));
    enum worker_end end = restart_policy_exit_is_permanent(info->si_code, info->si_status) ? WORKER_END_PERMANENT
                          : worker->is_stopping && has_exited && info->si_status == 0      ? WORKER_END_ORDERED
                                                                                           : WORKER_END_CRASH;

    if (end == WORKER_END_ORDERED)
        log_debug("worker ended", LOG_TEXT("name", worker_name(worker)), LOG_NUMBER("pid", info->si_pid));
    else
        log_error("worker died", LOG_PROBLEM(PROBLEM_WORKER_AWAY), LOG_TEXT("name", worker_name(worker)),
                  LOG_NUMBER("pid", info->si_pid), how);
    worker->channel = channel_free(worker->channel);
    worker->is_stopping = false;
    timer_clear(worker->look_timer);
    worker->callbacks.on_ended(worker, end, worker->callbacks.userdata);
}

static int on_failed_start(sd_event_source *source, void *userdata)
{
    struct worker *worker = userdata;

    (void)source;
    worker->callbacks.on_ended(worker, worker->failed_start, worker->callbacks.userdata);
    return 0;
}

/* Docker's socket came, or came back with another group, after the process was started: it cannot open it. */
static bool needs_other_group(const struct worker *worker)
{
    struct docker_socket socket;

    if (!worker->definition->docker_host)
        return false;
    socket = docker_socket_examine(worker->definition->docker_host);
    return socket.verdict == DOCKER_SOCKET_BY_GROUP &&
           !(worker->has_docker_group && worker->docker_group == socket.group);
}

/* The answer shows that its loop runs. One that hangs in its work alone is ended by the kernel: protocol/upkeep.h. */
static void ask(struct worker *worker)
{
    struct message_ping ping = {.header = message_header_make(MESSAGE_PING, sizeof(ping), ++worker->ping_generation)};

    worker->asked_at = clock_monotonic_microseconds();
    worker_send(worker, &ping.header, -1);
    timer_set(worker->look_timer, ANSWER_LIMIT);
}

/*
 * Runs when everything else had its turn: a PONG that waits in the socket is seen first. Who has read all that it was
 * sent is not asked, and not woken: most workers have nothing to do for most of the time.
 */
static int on_look_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct worker *worker = userdata;
    uint64_t silence = clock_monotonic_microseconds() - worker->asked_at;

    (void)source;
    (void)planned;
    if (worker->pong_generation != worker->ping_generation && silence >= ANSWER_LIMIT) {
        log_error("a worker does not answer, killing it", LOG_PROBLEM(PROBLEM_WORKER_AWAY),
                  LOG_TEXT("name", worker_name(worker)),
                  LOG_NUMBER("silent_seconds", silence / MICROSECONDS_PER_SECOND));
        worker_kill(worker);
        return 0;
    }
    if (needs_other_group(worker)) {
        log_warn("Docker's socket has another group now, replacing the gate", LOG_TEXT("name", worker_name(worker)));
        worker_kill(worker);
        return 0;
    }
    if (worker->awaits_docker)
        look_later(worker);
    if (worker->channel && channel_has_unread(worker->channel))
        ask(worker);
    return 0;
}

/* It reads nothing, and may have been sent nothing that would show it. */
static void on_child_stopped(void *userdata)
{
    struct worker *worker = userdata;

    if (worker->channel && worker->pong_generation == worker->ping_generation)
        ask(worker);
}

static void on_child_deadline(void *userdata)
{
    const struct worker *worker = userdata;

    log_error("a worker did not end in time, killing it", LOG_TEXT("name", worker_name(worker)));
}

static void on_child_start_time(void *userdata)
{
    worker_start(userdata);
}

/* Which supplementary group the worker gets for Docker's socket, logged where it is worth a word. */
static int grant_docker_socket(struct worker *worker, struct worker_privileges *privileges)
{
    struct docker_socket socket = docker_socket_examine(worker->definition->docker_host);
    char mode[8];

    (void)snprintf(mode, sizeof(mode), "%04o", (unsigned int)socket.mode);
    switch (socket.verdict) {
    case DOCKER_SOCKET_REMOTE:
    case DOCKER_SOCKET_OPEN_TO_ALL:
        return 0;
    case DOCKER_SOCKET_ABSENT:
        log_warn("Docker's socket is not there yet, waiting for it", LOG_PROBLEM(PROBLEM_DOCKER_AWAY),
                 LOG_TEXT("path", socket.path));
        return 0;
    case DOCKER_SOCKET_BY_GROUP:
        if (socket.group_is_root)
            log_warn("Docker's socket belongs to group 0: the gate gets that group", LOG_TEXT("path", socket.path),
                     LOG_TEXT("mode", mode));
        privileges->supplementary_groups[privileges->supplementary_group_count++] = socket.group;
        worker->has_docker_group = true;
        worker->docker_group = socket.group;
        return 0;
    case DOCKER_SOCKET_REFUSED:
        break;
    }
    log_error("Docker's socket cannot be used", LOG_PROBLEM(PROBLEM_DOCKER_AWAY), LOG_TEXT("path", socket.path),
              LOG_TEXT("mode", mode), LOG_NUMBER("owner", socket.owner), LOG_NUMBER("group", socket.group),
              LOG_ERROR_TEXT(socket.remedy));
    return -EACCES;
}

/* Forks the process with one end of a new channel and puts the other end into `worker`. */
static int start_process(struct worker *worker, const struct worker_privileges *privileges)
{
    const struct worker_definition *definition = worker->definition;
    const struct channel_callbacks callbacks = {on_channel_message, on_channel_closed, worker};
    char program[sizeof(ANCHORD_WORKER_DIRECTORY) + NAME_SIZE];
    int ends[2] = {-1, -1};
    CLEANUP_FD int worker_end = -1;
    char name[NAME_SIZE];
    char *arguments[] = {name, NULL};
    struct spawn_request request = {
        .program = program,
        .arguments = arguments,
        .privileges = *privileges,
        .output_fd = -1,
        .directory = definition->directory,
    };
    int result = channel_make_pair(ends);

    if (result < 0)
        return result;
    worker_end = ends[1];
    result = channel_new(worker->event, ends[0], definition->receives, &callbacks, &worker->channel);
    if (result < 0)
        return result;
    (void)snprintf(program, sizeof(program), "%s/%s", ANCHORD_WORKER_DIRECTORY, definition->program);
    text_copy_cut(name, sizeof(name), definition->program);
    request.supervisor_fd = worker_end;
    result = child_spawn(&worker->child, &request);
    if (result < 0)
        return result;
    log_info("worker started", LOG_TEXT("name", definition->name), LOG_NUMBER("pid", worker->child.pid));
    return 0;
}

/* The page that it counts in; its very first message, so that nothing is left out. */
static void send_metrics_page(struct worker *worker)
{
    struct message_metrics_page message = {
        .header = message_header_make(MESSAGE_METRICS_PAGE, sizeof(message), 0),
        .writer = worker->definition->writer,
        .access = METRICS_ACCESS_WRITE,
    };
    int page = metrics_store_page(worker->definition->writer);

    if (page >= 0)
        worker_send(worker, &message.header, page);
}

/* They may open no file themselves. */
static void send_docker_credentials(struct worker *worker, const struct docker_credentials *files)
{
    for (uint32_t i = DOCKER_CREDENTIAL_CA; i < DOCKER_CREDENTIAL_MAX_; i++) {
        const struct message_docker_credential message = {
            .header = message_header_make(MESSAGE_DOCKER_CREDENTIAL, sizeof(message), 0),
            .kind = i,
        };

        worker_send(worker, &message.header, files->descriptors[i]);
    }
}

void worker_start(struct worker *worker)
{
    struct worker_privileges privileges = {
        .user = worker->definition->user,
        .group = worker->definition->user,
        .capabilities = worker->definition->capabilities,
        .death_signal = SIGKILL,
    };
    CLEANUP(docker_credentials_close) struct docker_credentials credentials = {{-1, -1, -1, -1}};
    int result = 0;

    child_note_start(&worker->child);
    worker->has_docker_group = false;
    if (worker->definition->docker_host)
        result = grant_docker_socket(worker, &privileges);
    if (result == 0 && worker->definition->docker_cert_path)
        result = docker_credentials_open(worker->definition->docker_cert_path, &credentials);
    worker->failed_start = result < 0 ? WORKER_END_PERMANENT : WORKER_END_CRASH;
    if (result == 0) {
        result = start_process(worker, &privileges);
        if (result < 0)
            log_error("cannot start a worker", LOG_PROBLEM(PROBLEM_WORKER_AWAY), LOG_TEXT("name", worker_name(worker)),
                      LOG_ERROR(result));
    }
    if (result < 0) {
        worker->channel = channel_free(worker->channel);
        (void)sd_event_source_set_enabled(worker->failed_start_source, SD_EVENT_ONESHOT);
        return;
    }
    worker->ping_generation = worker->pong_generation = 0;
    timer_set(worker->look_timer, LOOK_INTERVAL);
    send_metrics_page(worker);
    if (worker->definition->docker_cert_path)
        send_docker_credentials(worker, &credentials);
    worker->callbacks.on_started(worker, worker->callbacks.userdata);
}

void worker_hasten(struct worker *worker)
{
    child_hasten_start(&worker->child);
}

void worker_restart(struct worker *worker)
{
    uint64_t delay = child_restart(&worker->child);

    log_warn("starting a worker again", LOG_TEXT("name", worker_name(worker)),
             LOG_NUMBER("delay_seconds", delay / MICROSECONDS_PER_SECOND));
    metrics_add(METRIC_WORKER_RESTARTS, worker->definition->writer, 1);
}

struct worker *worker_free(struct worker *worker)
{
    if (!worker)
        return NULL;
    worker->channel = channel_free(worker->channel);
    child_release(&worker->child);
    sd_event_source_disable_unref(worker->look_timer);
    sd_event_source_disable_unref(worker->failed_start_source);
    sd_event_unref(worker->event);
    free(worker);
    return NULL;
}

int worker_new(sd_event *event, const struct worker_definition *definition, const struct worker_callbacks *callbacks,
               struct worker **ret)
{
    CLEANUP(worker_freep) struct worker *worker = calloc(1, sizeof(*worker));
    struct child_callbacks child_callbacks = {on_child_start_time, on_child_stopped, on_child_ended, on_child_deadline,
                                              worker};
    int result;

    if (!worker)
        return -ENOMEM;
    if (definition->writer == METRICS_WRITER_SUPERVISOR)
        return -EINVAL; /* a definition that forgot it */
    worker->event = sd_event_ref(event);
    worker->definition = definition;
    worker->callbacks = *callbacks;
    worker->awaits_docker = definition->docker_host != NULL;
    result = sd_event_add_defer(event, &worker->failed_start_source, on_failed_start, worker);
    if (result < 0)
        return result;
    result = sd_event_source_set_enabled(worker->failed_start_source, SD_EVENT_OFF);
    if (result == 0)
        result = child_prepare(&worker->child, event, &child_callbacks);
    if (result == 0)
        result = timer_new(event, CLOCK_MONOTONIC, LOOK_ACCURACY, on_look_time, worker, &worker->look_timer);
    if (result < 0)
        return result;
    result = sd_event_source_set_priority(worker->look_timer, SD_EVENT_PRIORITY_IDLE);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(worker);
    return 0;
}
