/* HTTP for metrics and health; see server.h. Runs in anchord-exporter without any privilege. */
#include "workers/exporter/server.h"

#include "protocol/metrics.h"

#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

#define TIMER_ACCURACY (100 * MICROSECONDS_PER_MILLISECOND)

struct connection {
    struct MHD_Connection *connection; /* NULL: a free place */
    uint64_t deadline;                 /* CLOCK_MONOTONIC, microseconds */
};

struct server {
    server_metrics_handler on_metrics;
    void *userdata;
    struct MHD_Daemon *daemon;
    struct metrics_view *view;
    struct connection connections[SERVER_CONNECTIONS_MAX];
    sd_event_source *io_source;
    sd_event_source *again_source; /* what libmicrohttpd has read already tells no epoll */
    sd_event_source *deadline_timer;
    char text[EXPOSITION_SIZE];
};

/* --- answers -------------------------------------------------------------------------------------------- */

/* `text` is copied: the next request writes into the same place. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, const char *content_type,
                              size_t length, const char *text)
{
    /* MHD_RESPMEM_MUST_COPY does not write to it; the parameter is not const for the sake of its other modes. */
    union {
        const char *text;
        void *buffer;
    } body = {.text = text};
    struct MHD_Response *response = MHD_create_response_from_buffer(length, body.buffer, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    if (!response)
        return MHD_NO; /* closes the connection */
    result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    /* One request a connection: SERVER_DEADLINE then bounds its whole life. */
    if (result == MHD_YES)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (result == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (result == MHD_YES)
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status, const char *text)
{
    return answer(connection, status, "text/plain; charset=utf-8", strlen(text), text);
}

static enum MHD_Result answer_metrics(struct server *server, struct MHD_Connection *connection)
{
    enum exposition exposition =
        exposition_negotiate(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
    int length;

    server->on_metrics(server->userdata);
    metrics_report_process();
    server->view->now = clock_boottime_microseconds();
    length = exposition_write_metrics(server->view, exposition, server->text, sizeof(server->text));
    if (length < 0)
        return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "metrics do not fit\n");
    return answer(connection, MHD_HTTP_OK, exposition_content_type(exposition), (size_t)length, server->text);
}

static enum MHD_Result answer_readiness(struct server *server, struct MHD_Connection *connection)
{
    bool is_ready =
        exposition_write_readiness(server->view->pages[METRICS_WRITER_SUPERVISOR], server->text, sizeof(server->text));

    return answer_text(connection, is_ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, server->text);
}

/* Called with the headers read; a body is not waited for. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body, size_t *body_length,
                                  void **context)
{
    struct server *server = userdata;
    bool is_metrics = strcmp(path, "/metrics") == 0, is_health = strcmp(path, "/healthz") == 0;

    (void)version;
    (void)body;
    (void)body_length;
    (void)context;
    if (!is_metrics && !is_health && strcmp(path, "/readyz") != 0)
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    if (is_metrics)
        return answer_metrics(server, connection);
    return is_health ? answer_text(connection, MHD_HTTP_OK, "ok\n") : answer_readiness(server, connection);
}

/* --- connections and their deadlines -------------------------------------------------------------------- */

/* Sources of our own with valid arguments: none of these calls can fail. */
static void set_deadline_timer(struct server *server)
{
    uint64_t earliest = UINT64_MAX;

    for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
        if (server->connections[i].connection && server->connections[i].deadline < earliest)
            earliest = server->connections[i].deadline;
    }
    (void)sd_event_source_set_time(server->deadline_timer, earliest);
    (void)sd_event_source_set_enabled(server->deadline_timer, earliest == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = userdata;

    (void)context;
    for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
        struct connection *place = &server->connections[i];

        if (code == MHD_CONNECTION_NOTIFY_CLOSED && place->connection == connection) {
            place->connection = NULL;
            return;
        }
        if (code == MHD_CONNECTION_NOTIFY_STARTED && !place->connection) {
            *place = (struct connection){connection, clock_monotonic_microseconds() + SERVER_DEADLINE};
            return;
        }
    }
}

static bool is_full(const struct server *server)
{
    for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
        if (!server->connections[i].connection)
            return false;
    }
    return true;
}

static void run(struct server *server)
{
    bool was_full = is_full(server);
    MHD_UNSIGNED_LONG_LONG timeout;

    (void)MHD_run(server->daemon); /* says only that the daemon has this mode */
    set_deadline_timer(server);
    /* A daemon that was full watches its listening socket again only from the next call on: clients wait there. */
    if ((was_full && !is_full(server)) || (MHD_get_timeout(server->daemon, &timeout) == MHD_YES && timeout == 0))
        (void)sd_event_source_set_enabled(server->again_source, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    run(userdata);
    return 0;
}

static int on_again(sd_event_source *source, void *userdata)
{
    (void)source;
    run(userdata);
    return 0;
}

/* libmicrohttpd's own timeout starts again with each byte. A socket that is shut down is over for it, too. */
static int on_deadline(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct server *server = userdata;
    uint64_t now = clock_monotonic_microseconds();

    (void)source;
    (void)planned;
    for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
        struct connection *place = &server->connections[i];
        const union MHD_ConnectionInfo *information;

        if (!place->connection || place->deadline > now)
            continue;
        information = MHD_get_connection_info(place->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (information)
            (void)shutdown(information->connect_fd, SHUT_RDWR); /* the client may have ended it just now */
        place->deadline = UINT64_MAX;
    }
    run(server);
    return 0;
}

/* --- construction --------------------------------------------------------------------------------------- */

struct server *server_free(struct server *server)
{
    if (!server)
        return NULL;
    sd_event_source_disable_unref(server->io_source);
    sd_event_source_disable_unref(server->again_source);
    sd_event_source_disable_unref(server->deadline_timer);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    free(server);
    return NULL;
}

static int add_sources(struct server *server, sd_event *event)
{
    const union MHD_DaemonInfo *information = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int result;

    if (!information)
        return -ENOTSUP;
    result = sd_event_add_io(event, &server->io_source, information->epoll_fd, EPOLLIN, on_io, server);
    if (result >= 0)
        result = sd_event_add_defer(event, &server->again_source, on_again, server);
    if (result >= 0)
        result = sd_event_source_set_enabled(server->again_source, SD_EVENT_OFF);
    if (result >= 0)
        result = sd_event_add_time(event, &server->deadline_timer, CLOCK_MONOTONIC, UINT64_MAX, TIMER_ACCURACY,
                                   on_deadline, server);
    if (result >= 0)
        result = sd_event_source_set_enabled(server->deadline_timer, SD_EVENT_OFF);
    return result < 0 ? result : 0;
}

int server_new(sd_event *event, int listener, struct metrics_view *view, server_metrics_handler on_metrics,
               void *userdata, struct server **ret)
{
    CLEANUP_FD int owned = listener;
    CLEANUP(server_freep) struct server *server = calloc(1, sizeof(*server));
    int result;

    if (!server)
        return -ENOMEM;
    server->view = view;
    server->on_metrics = on_metrics;
    server->userdata = userdata;
    errno = 0;
    server->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, owned,
                                      MHD_OPTION_CONNECTION_LIMIT, (unsigned int)SERVER_CONNECTIONS_MAX,
                                      MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)SERVER_CONNECTIONS_PER_ADDRESS,
                                      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_MEMORY,
                                      MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    if (!server->daemon)
        return errno ? -errno : -EIO;
    (void)TAKE_FD(owned); /* MHD_stop_daemon() closes it */
    result = add_sources(server, event);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(server);
    return 0;
}
