/* Who is connected to the ban sockets; see ban_clients.h. Runs in anchord-bans without any privilege. */
#include "workers/bans/ban_clients.h"

#include "common/log.h"
#include "common/text.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <utlist.h>

#define CLIENTS_MAX   32 /* of each listener: who crowds one of them drops nobody from another */
#define LISTENERS_MAX 2

struct ban_client {
    struct ban_client *prev, *next; /* the oldest one first */
    struct ban_clients *clients;
    int listener; /* that it came by */
    struct channel *channel;
    bool is_deferred;    /* no further request until it is answered */
    uint64_t generation; /* 0: not sent yet */
    uint32_t count;
};

struct ban_clients {
    sd_event *event;
    ban_request_handler on_request;
    void *userdata;
    int listeners[LISTENERS_MAX];
    int roots_listener; /* -1: there is none */
    sd_event_source *sources[LISTENERS_MAX];
    size_t listener_count;
    struct ban_client *list;
};

static void drop(struct ban_client *client)
{
    DL_DELETE(client->clients->list, client);
    client->channel = channel_free(client->channel);
    free(client);
}

static void on_message(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    struct ban_client *client = userdata;

    switch (client->is_deferred ? MESSAGE_INVALID : message->type) { /* one after the other */
    case MESSAGE_BAN_REQUEST:
        client->clients->on_request(client, (const struct message_ban_request *)message, client->clients->userdata);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

static void on_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    if (error < 0 && error != -EPIPE && error != -ECONNRESET)
        log_warn("a client of the ban socket broke the protocol", LOG_TEXT("reason", reason), LOG_ERROR(error));
    drop(userdata);
}

static void drop_oldest_above_most(struct ban_clients *clients, int listener)
{
    struct ban_client *oldest = NULL;
    struct ban_client *client;
    size_t count = 0;

    DL_FOREACH (clients->list, client) {
        if (client->listener != listener)
            continue;
        oldest = oldest ? oldest : client;
        count++;
    }
    if (count > CLIENTS_MAX)
        drop(oldest);
}

static int add_client(struct ban_clients *clients, int listener, int fd)
{
    struct ban_client *client = calloc(1, sizeof(*client));
    const struct channel_callbacks callbacks = {on_message, on_closed, client};
    int result;

    if (!client) {
        close_fd(&fd);
        return -ENOMEM;
    }
    client->clients = clients;
    client->listener = listener;
    result = channel_new(clients->event, fd, DIRECTION_BANNER_TO_BANS, &callbacks, &client->channel);
    if (result < 0) {
        free(client);
        return result;
    }
    DL_APPEND(clients->list, client);
    drop_oldest_above_most(clients, listener);
    return 0;
}

static int on_connection(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int result = fd < 0 ? -errno : add_client(userdata, listener, fd);

    (void)source;
    (void)events;
    if (result < 0 && result != -EAGAIN && result != -ECONNABORTED && result != -EINTR)
        log_warn("cannot serve a client of the ban socket", LOG_ERROR(result));
    return 0;
}

struct ban_clients *ban_clients_free(struct ban_clients *clients)
{
    if (!clients)
        return NULL;
    while (clients->list)
        drop(clients->list);
    for (size_t i = 0; i < clients->listener_count; i++) {
        sd_event_source_disable_unref(clients->sources[i]);
        close_fd(&clients->listeners[i]);
    }
    free(clients);
    return NULL;
}

int ban_clients_new(sd_event *event, ban_request_handler on_request, void *userdata, struct ban_clients **ret)
{
    struct ban_clients *clients = calloc(1, sizeof(*clients));

    if (!clients)
        return -ENOMEM;
    *clients =
        (struct ban_clients){.event = event, .on_request = on_request, .userdata = userdata, .roots_listener = -1};
    *ret = clients;
    return 0;
}

int ban_clients_listen(struct ban_clients *clients, int listener, bool is_roots)
{
    CLEANUP_FD int owned = listener;
    int result;

    if (clients->listener_count == LISTENERS_MAX)
        return -E2BIG;
    result = sd_event_add_io(clients->event, &clients->sources[clients->listener_count], owned, EPOLLIN, on_connection,
                             clients);
    if (result < 0)
        return result;
    if (is_roots)
        clients->roots_listener = owned;
    clients->listeners[clients->listener_count++] = TAKE_FD(owned);
    return 0;
}

bool ban_client_is_root(const struct ban_client *client)
{
    return client->listener == client->clients->roots_listener;
}

void ban_client_send(struct ban_client *client, const struct message_header *message)
{
    (void)channel_send(client->channel, message, -1); /* on_closed() hears of a failure */
}

void ban_client_defer(struct ban_client *client, uint32_t count)
{
    client->is_deferred = true;
    client->generation = 0;
    client->count = count;
}

void ban_clients_set_generation(struct ban_clients *clients, uint64_t generation)
{
    struct ban_client *client;

    DL_FOREACH (clients->list, client) {
        if (client->is_deferred && client->generation == 0)
            client->generation = generation;
    }
}

void ban_clients_answer(struct ban_clients *clients, uint64_t generation, bool is_lasting, int error,
                        const char *reason)
{
    struct message_ban_answer answer = {
        .header = message_header_make(MESSAGE_BAN_ANSWER, sizeof(answer), 0),
        .error = error,
        .is_lasting = is_lasting,
    };
    struct ban_client *client;

    text_copy_cut(answer.reason, sizeof(answer.reason), reason);
    DL_FOREACH (clients->list, client) {
        if (!client->is_deferred || client->generation == 0 || client->generation > generation)
            continue;
        client->is_deferred = false;
        answer.count = client->count;
        ban_client_send(client, &answer.header);
    }
}
