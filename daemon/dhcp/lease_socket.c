/* The lease socket; see lease_socket.h. Runs in the supervisor, as root. */
#include "daemon/dhcp/lease_socket.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/supervise/runtime_directory.h"
#include "protocol/channel.h"

#include <sys/socket.h>

/* Two dhcpcds with one script at a time each; the rest is for those that were killed meanwhile. */
#define CONNECTIONS_MAX         8
#define CONNECTIONS_WAITING_MAX 8
/* anchord-lease connects, looks at its environment and sends: milliseconds. */
#define CONNECTION_TIMEOUT MICROSECONDS_PER_SECOND
#define TIMER_ACCURACY     (10 * MICROSECONDS_PER_MILLISECOND)

struct connection {
    struct lease_socket *socket;
    struct channel *channel; /* NULL: free */
    sd_event_source *timeout;
};

struct lease_socket {
    sd_event *event;
    sd_event_source *source;
    uid_t owner;
    lease_event_handler on_event;
    void *userdata;
    uint64_t refused;
    struct connection connections[CONNECTIONS_MAX];
};

int lease_socket_address(struct sockaddr_un *ret)
{
    return runtime_directory_socket(LEASE_SOCKET_NAME, ret);
}

int lease_socket_listen(uid_t owner, int *ret)
{
    const struct runtime_directory_listener listener = {
        .type = SOCK_SEQPACKET, .waiting_max = CONNECTIONS_WAITING_MAX, .owner = owner};
    struct sockaddr_un address;
    int result = lease_socket_address(&address);

    return result < 0 ? result : runtime_directory_listen(&address, &listener, ret);
}

/* Every refusal counts; after some the log hears of powers of two only, so that a flood cannot fill it. */
static void refuse(struct lease_socket *socket, const char *reason)
{
    socket->refused++;
    if ((socket->refused & (socket->refused - 1)) == 0)
        log_warn("lease socket: refused what came in", LOG_TEXT("reason", reason),
                 LOG_NUMBER("refused", socket->refused));
}

static void close_connection(struct connection *connection)
{
    connection->channel = channel_free(connection->channel);
    connection->timeout = sd_event_source_disable_unref(connection->timeout);
}

/* One message, and anchord-lease hears by the end of the connection that it was taken. */
static void take_event(struct connection *connection, const struct message_lease_event *message)
{
    struct lease_socket *socket = connection->socket;
    struct message_lease_event event = *message;

    close_connection(connection);
    socket->on_event(&event, socket->userdata);
}

static void on_lease_message(struct channel *channel, const struct message_header *message, int descriptor,
                             void *userdata)
{
    switch (message->type) {
    case MESSAGE_LEASE_EVENT:
        take_event(userdata, (const struct message_lease_event *)message);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* An end without a message is a script that refused what it read, and has said why. */
static void on_lease_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct connection *connection = userdata;

    (void)channel;
    if (error < 0 && error != -EPIPE && error != -ECONNRESET)
        refuse(connection->socket, reason);
    close_connection(connection);
}

static int on_timeout(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct connection *connection = userdata;

    (void)source;
    (void)planned;
    refuse(connection->socket, "nothing was sent");
    close_connection(connection);
    return 0;
}

static struct connection *find_free(struct lease_socket *socket)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (!socket->connections[i].channel)
            return &socket->connections[i];
    }
    return NULL;
}

static int begin(struct connection *connection, int fd)
{
    const struct channel_callbacks callbacks = {on_lease_message, on_lease_closed, connection};
    int result =
        channel_new(connection->socket->event, fd, DIRECTION_LEASE_TO_SUPERVISOR, &callbacks, &connection->channel);

    if (result == 0)
        result = sd_event_add_time_relative(connection->socket->event, &connection->timeout, CLOCK_MONOTONIC,
                                            CONNECTION_TIMEOUT, TIMER_ACCURACY, on_timeout, connection);
    if (result < 0)
        close_connection(connection);
    return result < 0 ? result : 0;
}

static int on_connection(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
    struct lease_socket *lease_socket = userdata;
    CLEANUP_FD int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *connection = find_free(lease_socket);
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t length = sizeof(peer);
    int result;

    (void)source;
    (void)events;
    if (fd < 0)
        return 0; /* gone already, or a shortage that passes */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.uid != lease_socket->owner) {
        refuse(lease_socket, "another user than the DHCP client's");
        return 0;
    }
    if (!connection) {
        refuse(lease_socket, "too many at once");
        return 0;
    }
    result = begin(connection, TAKE_FD(fd));
    if (result < 0)
        refuse(lease_socket, log_errno_text(result));
    return 0;
}

struct lease_socket *lease_socket_free(struct lease_socket *socket)
{
    if (!socket)
        return NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        close_connection(&socket->connections[i]);
    sd_event_source_disable_unref(socket->source);
    sd_event_unref(socket->event);
    free(socket);
    return NULL;
}

int lease_socket_new(sd_event *event, int listener, uid_t owner, lease_event_handler on_event, void *userdata,
                     struct lease_socket **ret)
{
    CLEANUP(lease_socket_freep) struct lease_socket *socket = calloc(1, sizeof(*socket));
    int result;

    if (!socket)
        return -ENOMEM;
    socket->event = sd_event_ref(event);
    socket->owner = owner;
    socket->on_event = on_event;
    socket->userdata = userdata;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        socket->connections[i].socket = socket;
    result = sd_event_add_io(event, &socket->source, listener, EPOLLIN, on_connection, socket);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(socket);
    return 0;
}
