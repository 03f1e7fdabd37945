/* From clients to Docker and back; see relay.h. Runs without any privilege but one group. */
#include "workers/gate/relay.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/text.h"
#include "workers/gate/request.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LISTENERS_MAX            2 /* watcher and keeper */
#define CONNECTIONS_PER_LISTENER 4 /* one for events, the others for questions, one at a time each */
#define ANSWER_SIZE              16384

enum state {
    STATE_FREE,
    STATE_READING,   /* the client's next request */
    STATE_SENDING,   /* it is allowed, and goes to Docker */
    STATE_ANSWERING, /* until the first byte of the answer is here: nothing more of the client is looked at */
    STATE_ENDING,    /* Docker's last bytes, or a refusal, go to the client */
};

struct connection {
    struct listener *listener;
    enum state state;
    int client;
    int docker; /* -1: not yet, or over */
    uint32_t client_events;
    uint32_t docker_events; /* 0: epoll does not have it, which would tell of its end whatever it was asked for */
    bool is_answered;       /* the request: it may be so while its body is on its way */
    size_t sent;            /* of request.head */
    size_t input_length;
    size_t answer_begin; /* what of `answer` the client has not taken */
    size_t answer_end;
    struct gate_request request;
    char input[GATE_HEAD_MAX];
    char answer[ANSWER_SIZE];
};

struct listener {
    int fd; /* -1: there is none */
    enum gate_client client;
    uid_t user;
    bool is_watched;
    bool is_short; /* nobody can be let in at the moment */
    struct connection connections[CONNECTIONS_PER_LISTENER];
};

static struct {
    int epoll;
    struct sockaddr_un docker;
    struct message_configure_gate scope;
    size_t listener_count;
    struct listener listeners[LISTENERS_MAX];
} relay;

enum { KEY_LISTENER, KEY_CLIENT, KEY_DOCKER, KEY_MAX_ };

static uint32_t key_of(const struct listener *listener, size_t connection, uint32_t kind)
{
    size_t index = (size_t)(listener - relay.listeners) * CONNECTIONS_PER_LISTENER + connection;

    return RELAY_KEY_FIRST + (uint32_t)index * KEY_MAX_ + kind;
}

static uint32_t connection_key(const struct connection *connection, uint32_t kind)
{
    return key_of(connection->listener, (size_t)(connection - connection->listener->connections), kind);
}

static void control(int operation, int fd, uint32_t events, uint32_t key)
{
    struct epoll_event event = {.events = events, .data = {.u32 = key}};

    if (epoll_ctl(relay.epoll, operation, fd, &event) < 0)
        log_error("cannot watch a connection", LOG_ERROR(-errno)); /* it stays as it is until its end */
}

/* A listener that has no free connection is not looked at: who comes waits. */
static void watch_listener(struct listener *listener)
{
    bool has_room = false;

    for (size_t i = 0; i < CONNECTIONS_PER_LISTENER; i++)
        has_room |= listener->connections[i].state == STATE_FREE && !listener->is_short;
    if (has_room != listener->is_watched)
        control(EPOLL_CTL_MOD, listener->fd, has_room ? EPOLLIN : 0, key_of(listener, 0, KEY_LISTENER));
    listener->is_watched = has_room;
}

static void end_connection(struct connection *connection)
{
    close_fd(&connection->client);
    close_fd(&connection->docker);
    connection->state = STATE_FREE;
    watch_listener(connection->listener);
}

static void watch_docker(struct connection *connection, uint32_t events)
{
    int operation = connection->docker_events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    if (connection->docker < 0 || events == connection->docker_events)
        return;
    control(operation, connection->docker, events, connection_key(connection, KEY_DOCKER));
    connection->docker_events = events;
}

/* What is waited for follows from the state alone. Of Docker nothing, until the client has what it said last. */
static void watch(struct connection *connection)
{
    bool has_answer = connection->answer_end > connection->answer_begin;
    bool must_send = connection->state == STATE_SENDING;
    bool has_unsent = connection->sent < connection->request.head_length || connection->input_length > 0;
    uint32_t client = has_answer ? EPOLLOUT : 0;
    uint32_t docker = has_answer ? 0 : EPOLLIN;

    if ((connection->state == STATE_READING && !has_answer) || (must_send && !has_unsent))
        client |= EPOLLIN;
    if (must_send && has_unsent && !has_answer)
        docker |= EPOLLOUT;
    if (client != connection->client_events)
        control(EPOLL_CTL_MOD, connection->client, client, connection_key(connection, KEY_CLIENT));
    connection->client_events = client;
    watch_docker(connection, docker);
}

/* --- back to the client ---------------------------------------------------------------------------------- */

static void flush_answer(struct connection *connection)
{
    size_t length = connection->answer_end - connection->answer_begin;
    ssize_t sent = send(connection->client, connection->answer + connection->answer_begin, length, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        end_connection(connection);
        return;
    }
    if (sent > 0)
        connection->answer_begin += (size_t)sent;
    if (connection->answer_begin == connection->answer_end)
        connection->answer_begin = connection->answer_end = 0;
    if (connection->state == STATE_ENDING && connection->answer_end == 0)
        end_connection(connection);
}

/* The gate's own answer, and the end of the connection. `text` is printable and without quotation marks. */
static void answer_and_end(struct connection *connection, const char *status, const char *text)
{
    char body[GATE_REASON_SIZE + 128];
    int length = snprintf(body, sizeof(body), "{\"message\":\"anchord-gate: %s\"}", text);

    close_fd(&connection->docker);
    connection->state = STATE_ENDING;
    connection->answer_begin = 0;
    connection->answer_end = (size_t)snprintf(connection->answer, sizeof(connection->answer),
                                              "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                                              "Connection: close\r\n\r\n%s",
                                              status, length, body);
    flush_answer(connection);
}

static void note_refusal(const struct listener *listener, const char *reason)
{
    log_warn("refused what a process asked of Docker", LOG_NUMBER("client_user", listener->user),
             LOG_TEXT("reason", reason));
}

static void on_docker_ready(struct connection *connection)
{
    ssize_t length = recv(connection->docker, connection->answer, sizeof(connection->answer), 0);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) { /* it has said everything, and all of that is with the client */
        end_connection(connection);
        return;
    }
    connection->answer_end = (size_t)length;
    connection->is_answered = true;
    if (connection->state == STATE_ANSWERING)
        connection->state = STATE_READING;
    flush_answer(connection);
}

/* --- to Docker ------------------------------------------------------------------------------------------- */

static const char *explain_connect(int error)
{
    switch (error) {
    case ENOENT:
        return "it is not there: is Docker running, is its socket mounted?";
    case ECONNREFUSED:
        return "nobody listens: Docker is down, or has made its socket anew, which a mounted file does not follow";
    case EACCES:
        return "its mode or its group does not let us in";
    case EAGAIN:
        return "Docker takes no more connections at the moment";
    default:
        return log_errno_text(-error);
    }
}

/* A unix socket takes a connection at once or not at all. */
static bool connect_to_docker(struct connection *connection)
{
    char text[GATE_REASON_SIZE];
    int error = 0;

    connection->docker = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connection->docker < 0 ||
        connect(connection->docker, (const struct sockaddr *)&relay.docker, sizeof(relay.docker)) < 0)
        error = errno;
    if (error == 0) {
        connection->docker_events = 0;
        watch_docker(connection, EPOLLIN);
        return true;
    }
    (void)snprintf(text, sizeof(text), "%s: %s", relay.docker.sun_path, explain_connect(error));
    answer_and_end(connection, "503 Service Unavailable", text);
    return false;
}

/* Takes `length` bytes of the input away. */
static void drop_input(struct connection *connection, size_t length)
{
    connection->input_length -= length;
    memmove(connection->input, connection->input + length, connection->input_length);
}

/* Returns what was sent, 0 when Docker takes nothing now, or when the connection is over. */
static size_t send_to_docker(struct connection *connection, const char *bytes, size_t length)
{
    ssize_t sent = send(connection->docker, bytes, length, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        end_connection(connection);
    return sent > 0 ? (size_t)sent : 0;
}

/* The head that the gate wrote, then exactly the counted body. */
static void send_request(struct connection *connection)
{
    struct gate_request *request = &connection->request;
    size_t length;

    if (connection->sent < request->head_length)
        connection->sent +=
            send_to_docker(connection, request->head + connection->sent, request->head_length - connection->sent);
    if (connection->state != STATE_SENDING || connection->sent < request->head_length)
        return;
    length = connection->input_length < request->body_length ? connection->input_length : request->body_length;
    if (length > 0) {
        length = send_to_docker(connection, connection->input, length);
        if (connection->state != STATE_SENDING)
            return;
        request->body_length -= length;
        drop_input(connection, length);
    }
    if (request->body_length == 0)
        connection->state = connection->is_answered ? STATE_READING : STATE_ANSWERING;
}

static void take_request(struct connection *connection)
{
    struct listener *listener = connection->listener;
    char reason[GATE_REASON_SIZE];

    switch (request_read(listener->client, &relay.scope, connection->input, connection->input_length,
                         &connection->request, reason)) {
    case REQUEST_INCOMPLETE:
        return;
    case REQUEST_REFUSED:
        note_refusal(listener, reason);
        answer_and_end(connection, "403 Forbidden", reason);
        return;
    case REQUEST_ALLOWED:
    default:
        break;
    }
    drop_input(connection, connection->request.taken);
    connection->sent = 0;
    connection->is_answered = false;
    connection->state = STATE_SENDING;
    if (connection->docker < 0 && !connect_to_docker(connection))
        return;
    send_request(connection);
}

static void on_client_ready(struct connection *connection, uint32_t events)
{
    ssize_t length;

    if (events & EPOLLIN) {
        length = recv(connection->client, connection->input + connection->input_length,
                      sizeof(connection->input) - connection->input_length, 0);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (length <= 0) {
            end_connection(connection);
            return;
        }
        connection->input_length += (size_t)length; /* of a body, it goes on when Docker can take it */
        return;
    }
    if (events & (EPOLLHUP | EPOLLERR))
        end_connection(connection);
}

/* --- clients come ------------------------------------------------------------------------------------------ */

static struct connection *find_free(struct listener *listener)
{
    for (size_t i = 0; i < CONNECTIONS_PER_LISTENER; i++) {
        if (listener->connections[i].state == STATE_FREE)
            return &listener->connections[i];
    }
    return NULL;
}

static void on_listener_ready(struct listener *listener)
{
    CLEANUP_FD int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *connection = find_free(listener);
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t length = sizeof(peer);

    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED)
        listener->is_short = true; /* of descriptors or memory: at once it would be the same */
    if (fd < 0 || !connection) {
        watch_listener(listener);
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.uid != listener->user) {
        note_refusal(listener, "another user connected to its socket");
        return;
    }
    connection->listener = listener;
    connection->client = TAKE_FD(fd);
    connection->docker = -1;
    connection->sent = connection->request.head_length = 0;
    connection->input_length = connection->answer_begin = connection->answer_end = 0;
    connection->state = STATE_READING;
    connection->client_events = EPOLLIN;
    control(EPOLL_CTL_ADD, connection->client, EPOLLIN, connection_key(connection, KEY_CLIENT));
    watch_listener(listener);
}

void relay_on_ready(uint32_t key, uint32_t events)
{
    size_t index = (key - RELAY_KEY_FIRST) / KEY_MAX_;
    uint32_t kind = (key - RELAY_KEY_FIRST) % KEY_MAX_;
    struct listener *listener = &relay.listeners[index / CONNECTIONS_PER_LISTENER];
    struct connection *connection = &listener->connections[index % CONNECTIONS_PER_LISTENER];

    if (kind == KEY_LISTENER) {
        on_listener_ready(listener);
        return;
    }
    if (kind == KEY_CLIENT && (events & EPOLLOUT))
        flush_answer(connection);
    if (connection->state != STATE_FREE && kind == KEY_CLIENT && (events & ~(uint32_t)EPOLLOUT))
        on_client_ready(connection, events);
    /* What Docker says comes first: it may say why it takes no more of a body. */
    if (kind == KEY_DOCKER && (events & ~(uint32_t)EPOLLOUT))
        on_docker_ready(connection);
    else if (kind == KEY_DOCKER)
        send_request(connection);
    if (connection->state == STATE_READING && connection->input_length > 0 && connection->answer_end == 0)
        take_request(connection);
    if (connection->state != STATE_FREE)
        watch(connection);
}

bool relay_is_short(void)
{
    for (size_t i = 0; i < relay.listener_count; i++) {
        if (relay.listeners[i].is_short)
            return true;
    }
    return false;
}

void relay_look_again(void)
{
    for (size_t i = 0; i < relay.listener_count; i++) {
        relay.listeners[i].is_short = false;
        watch_listener(&relay.listeners[i]);
    }
}

int relay_add_listener(const struct message_gate_listener *message, int listener)
{
    CLEANUP_FD int fd = listener;
    struct listener *added = &relay.listeners[relay.listener_count];

    if (relay.docker.sun_family != AF_UNIX || relay.listener_count == LISTENERS_MAX)
        return -EPROTO;
    /* Field by field: the buffers of connections that never come are not to be touched, they would cost memory. */
    added->fd = TAKE_FD(fd);
    added->client = (enum gate_client)message->client;
    added->user = message->user;
    relay.listener_count++;
    control(EPOLL_CTL_ADD, added->fd, 0, key_of(added, 0, KEY_LISTENER));
    watch_listener(added);
    return 0;
}

int relay_configure(int epoll, const struct message_configure_gate *configuration)
{
    if (relay.docker.sun_family == AF_UNIX)
        return -EPROTO;
    if (text_copy(relay.docker.sun_path, sizeof(relay.docker.sun_path), configuration->docker_socket) < 0)
        return -ENAMETOOLONG;
    relay.docker.sun_family = AF_UNIX;
    relay.epoll = epoll;
    relay.scope = *configuration;
    return 0;
}
