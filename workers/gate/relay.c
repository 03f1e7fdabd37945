/* From clients to Docker and back; see relay.h. Runs without any privilege but one group. */
#include "workers/gate/relay.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"
#include "workers/gate/request.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct connection {
    bool is_open;
    bool waits;     /* until Docker's answer begins nothing more of the client is looked at, but the request's body */
    bool is_ending; /* with a refusal */
    int client;
    int docker;                  /* -1: not yet, or over */
    struct gate_request request; /* what of it is not with Docker yet */
    struct gate_buffer answer;   /* what of it is not with the client yet */
    struct gate_buffer input;
};

struct listener {
    int fd;
    enum gate_client client;
    uid_t user;
    struct connection connections[RELAY_CONNECTIONS];
};

static struct {
    struct sockaddr_un docker;
    struct message_configure_gate scope;
    size_t listener_count;
    struct listener listeners[RELAY_LISTENERS];
} relay;

static bool has_bytes(const struct gate_buffer *buffer)
{
    return buffer->begin < buffer->end;
}

static void end_connection(struct connection *connection)
{
    close_fd(&connection->client);
    close_fd(&connection->docker);
    connection->is_open = false;
}

/* Sends what it takes of the first `limit` bytes. Returns how much, or a negative errno: nobody will take any. */
static ssize_t flush(int fd, struct gate_buffer *buffer, uint64_t limit)
{
    size_t length = buffer->end - buffer->begin;
    ssize_t sent = 0;

    length = length < limit ? length : (size_t)limit;
    if (length > 0)
        sent = send(fd, buffer->bytes + buffer->begin, length, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    buffer->begin += (size_t)sent;
    return sent;
}

/* Receives behind what is there, and ends it with a NUL. False: nothing comes any more. */
static bool fill(int fd, struct gate_buffer *buffer)
{
    ssize_t length;

    buffer->end -= buffer->begin;
    memmove(buffer->bytes, buffer->bytes + buffer->begin, buffer->end);
    buffer->begin = 0;
    length = recv(fd, buffer->bytes + buffer->end, GATE_BUFFER_SIZE - buffer->end, 0);
    buffer->end += length > 0 ? (size_t)length : 0;
    buffer->bytes[buffer->end] = '\0';
    return length > 0;
}

static void note_refusal(const struct listener *listener, const char *reason)
{
    log_warn("refused what a process asked of Docker", LOG_PROBLEM(PROBLEM_GATE_REFUSED),
             LOG_NUMBER("client_user", listener->user), LOG_TEXT("reason", reason));
}

/* The gate's own answer, and the end of the connection. `text` is printable and without quotation marks. */
static void answer_and_end(struct connection *connection, const char *status, const char *text)
{
    char body[GATE_REASON_SIZE + 128];
    int length = snprintf(body, sizeof(body), "{\"message\":\"anchord-gate: %s\"}", text);
    struct gate_buffer *answer = &connection->answer;

    close_fd(&connection->docker);
    connection->is_ending = true;
    connection->request.body_length = 0;
    answer->begin = 0;
    answer->end = (size_t)snprintf(answer->bytes, sizeof(answer->bytes),
                                   "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                                   "Connection: close\r\n\r\n%s",
                                   status, length, body);
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
static void connect_to_docker(struct connection *connection)
{
    char text[GATE_REASON_SIZE];

    connection->docker = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connection->docker >= 0 &&
        connect(connection->docker, (const struct sockaddr *)&relay.docker, sizeof(relay.docker)) == 0)
        return;
    (void)snprintf(text, sizeof(text), "%s: %s", relay.docker.sun_path, explain_connect(errno));
    answer_and_end(connection, "503 Service Unavailable", text);
}

/* The request before is not over, or its answer has not begun, or is not with the client. */
static bool is_busy(const struct connection *connection)
{
    return connection->waits || connection->is_ending || connection->request.body_length > 0 ||
           has_bytes(&connection->request.bytes) || has_bytes(&connection->answer);
}

/* What of the next request has come. */
static void judge(const struct listener *listener, struct connection *connection)
{
    struct gate_buffer *input = &connection->input;
    char reason[GATE_REASON_SIZE];

    switch (request_read(listener->client, &relay.scope, input->bytes + input->begin, input->end - input->begin,
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
    input->begin += connection->request.taken;
    connection->waits = true;
    if (connection->docker < 0)
        connect_to_docker(connection);
}

/* Docker's next bytes; all before them are with the client. False: there are none. */
static bool take_answer(struct connection *connection)
{
    connection->waits &= !fill(connection->docker, &connection->answer);
    return has_bytes(&connection->answer);
}

/* The head that the gate wrote, then exactly the counted body. */
static void send_request(struct connection *connection)
{
    struct gate_request *request = &connection->request;
    ssize_t sent;

    if (connection->docker < 0)
        return;
    sent = flush(connection->docker, &request->bytes, UINT64_MAX);
    if (sent >= 0 && !has_bytes(&request->bytes)) {
        sent = flush(connection->docker, &connection->input, request->body_length);
        request->body_length -= sent > 0 ? (uint64_t)sent : 0;
    }
    if (sent < 0 && !take_answer(connection)) /* who takes no more may have said why */
        end_connection(connection);
}

static void serve_connection(const struct listener *listener, struct connection *connection, short client, short docker)
{
    /* What Docker says comes first: it may say why it takes no more of a body. */
    bool is_over = (docker & ~POLLOUT) && !take_answer(connection);

    is_over |= client & POLLIN ? !fill(connection->client, &connection->input) : (client & (POLLHUP | POLLERR)) != 0;
    is_over |= flush(connection->client, &connection->answer, UINT64_MAX) < 0;
    if (is_over || (connection->is_ending && !has_bytes(&connection->answer))) {
        end_connection(connection);
        return;
    }
    send_request(connection);
    if (!connection->is_open || !has_bytes(&connection->input) || is_busy(connection))
        return;
    judge(listener, connection);
    send_request(connection);
}

/* --- clients come ------------------------------------------------------------------------------------------ */

static struct connection *find_free(struct listener *listener)
{
    for (size_t i = 0; i < RELAY_CONNECTIONS; i++) {
        if (!listener->connections[i].is_open)
            return &listener->connections[i];
    }
    return NULL;
}

/* False: descriptors or memory are short, and at once they would be so again. */
static bool let_in(struct listener *listener)
{
    CLEANUP_FD int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *connection = find_free(listener);
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t length = sizeof(peer);

    if (fd < 0 || !connection)
        return fd >= 0 || errno == EAGAIN || errno == ECONNABORTED;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.uid != listener->user) {
        note_refusal(listener, "another user connected to its socket");
        return true;
    }
    connection->is_open = true;
    connection->client = TAKE_FD(fd);
    connection->docker = -1;
    connection->waits = connection->is_ending = false;
    connection->request.body_length = 0;
    connection->request.bytes.begin = connection->input.begin = connection->answer.begin = 0;
    connection->request.bytes.end = connection->input.end = connection->answer.end = 0;
    return true;
}

static void prepare_connection(const struct connection *connection, struct pollfd *client, struct pollfd *docker)
{
    bool has_answer = has_bytes(&connection->answer), has_body = connection->request.body_length > 0;
    bool must_send = has_bytes(&connection->request.bytes) || (has_body && has_bytes(&connection->input));
    bool takes_more = has_body ? !must_send : !is_busy(connection);

    client->fd = connection->is_open ? connection->client : -1;
    client->events = (short)((has_answer ? POLLOUT : 0) | (takes_more ? POLLIN : 0));
    /* Of Docker nothing, not even its end, until the client has what it said last. */
    docker->fd = connection->is_open && !has_answer ? connection->docker : -1;
    docker->events = (short)(POLLIN | (must_send ? POLLOUT : 0));
}

/* A listener that has no free connection is not looked at: who comes waits. */
void relay_prepare(struct pollfd polled[RELAY_POLLED], bool may_let_in)
{
    for (size_t i = 0; i < RELAY_LISTENERS; i++) {
        struct listener *listener = &relay.listeners[i];
        bool has_room = may_let_in && i < relay.listener_count && find_free(listener);

        *polled++ = (struct pollfd){.fd = has_room ? listener->fd : -1, .events = POLLIN};
        for (size_t j = 0; j < RELAY_CONNECTIONS; j++, polled += 2)
            prepare_connection(&listener->connections[j], polled, polled + 1);
    }
}

/* Who comes is let in last: what was found of a connection is of the one that had its place. */
bool relay_serve(const struct pollfd polled[RELAY_POLLED])
{
    bool could_let_in = true;

    for (size_t i = 0; i < RELAY_LISTENERS; i++, polled += 1 + 2 * RELAY_CONNECTIONS) {
        struct listener *listener = &relay.listeners[i];

        for (size_t j = 0; j < RELAY_CONNECTIONS; j++) {
            short client = polled[1 + 2 * j].revents, docker = polled[2 + 2 * j].revents;

            if (client || docker)
                serve_connection(listener, &listener->connections[j], client, docker);
        }
        if (polled->revents)
            could_let_in &= let_in(listener);
    }
    return could_let_in;
}

int relay_add_listener(const struct message_gate_listener *message, int listener)
{
    CLEANUP_FD int fd = listener;
    struct listener *added = &relay.listeners[relay.listener_count];

    if (relay.docker.sun_family != AF_UNIX || relay.listener_count == RELAY_LISTENERS)
        return -EPROTO;
    /* Field by field: the buffers of connections that never come are not to be touched, they would cost memory. */
    added->fd = TAKE_FD(fd);
    added->client = (enum gate_client)message->client;
    added->user = message->user;
    relay.listener_count++;
    return 0;
}

int relay_configure(const struct message_configure_gate *configuration)
{
    log_set_level((enum log_level)configuration->log_level);
    if (text_copy(relay.docker.sun_path, sizeof(relay.docker.sun_path), configuration->docker_socket) < 0)
        return -ENAMETOOLONG;
    relay.docker.sun_family = AF_UNIX;
    relay.scope = *configuration;
    return 0;
}
