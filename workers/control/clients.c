/* Who is connected to the control socket; see clients.h. Runs in anchord-control without any privilege. */
#include "workers/control/clients.h"

#include "common/clock.h"
#include "common/log.h"
#include "workers/control/bus_object.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utlist.h>

#define CLIENTS_MAX 16
/* `anchord status --watch` asks each second. */
#define SILENCE_LIMIT  (15 * MICROSECONDS_PER_SECOND)
#define SILENCE_CHECK  (5 * MICROSECONDS_PER_SECOND)
#define TIMER_ACCURACY (500 * MICROSECONDS_PER_MILLISECOND)
/* Answers that a client has not read; one more request and it is dropped. */
#define UNREAD_ANSWERS_MAX 4
/* So that a flood of connections leaves time for those who are there, and for the supervisor's pings. */
#define ACCEPT_INTERVAL (100 * MICROSECONDS_PER_MILLISECOND)
#define ACCEPT_BURST    20

struct client {
    struct client *prev, *next; /* the most silent one first */
    struct clients *clients;
    sd_bus *bus;
    uint64_t last_heard; /* monotonic microseconds */
    bool is_over;        /* freed from the event loop: sd-bus may be at work on it just now */
};

struct clients {
    sd_event *event;
    struct view *view;
    int listener;
    sd_event_source *accept_source;
    sd_event_source *silence_timer;
    sd_event_source *sweep_source;  /* deferred: frees those that are over */
    sd_event_source *change_source; /* deferred: one signal for a burst of changes */
    struct client *list;
    size_t count;
};

static struct client *client_free(struct client *client)
{
    if (!client)
        return NULL;
    (void)sd_bus_detach_event(client->bus);
    sd_bus_close_unref(client->bus);
    free(client);
    return NULL;
}
DEFINE_POINTER_CLEANUP(struct client, (void)client_free, client_freep);

static void drop(struct client *client, const char *reason)
{
    if (client->is_over)
        return;
    client->is_over = true;
    log_debug("control client dropped", LOG_TEXT("reason", reason));
    (void)sd_event_source_set_enabled(client->clients->sweep_source, SD_EVENT_ONESHOT);
}

static int on_sweep(sd_event_source *source, void *userdata)
{
    struct clients *clients = userdata;
    struct client *client, *next;

    (void)source;
    DL_FOREACH_SAFE(clients->list, client, next)
    {
        if (!client->is_over)
            continue;
        DL_DELETE(clients->list, client);
        clients->count--;
        (void)client_free(client);
    }
    return 0;
}

static bool reads_its_answers(const struct client *client)
{
    uint64_t unread = 0;

    return sd_bus_get_n_queued_write(client->bus, &unread) >= 0 && unread <= UNREAD_ANSWERS_MAX;
}

/* Every message of a client comes here first. Returns 1 when that was all there is to do with it. */
static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct client *client = userdata;

    (void)ret_error;
    if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Local", "Disconnected")) {
        drop(client, "disconnected");
        return 1;
    }
    if (!reads_its_answers(client)) {
        drop(client, "does not read its answers");
        return 1;
    }
    client->last_heard = clock_monotonic_microseconds();
    DL_DELETE(client->clients->list, client);
    DL_APPEND(client->clients->list, client);
    /* busctl takes whatever it connects to for a message bus, and first asks for its own name there. */
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "Hello"))
        return sd_bus_reply_method_return(message, "s", ":1.1") < 0 ? 0 : 1;
    /* sd-bus would read /etc/machine-id, which the sandbox does not allow. */
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Peer", "GetMachineId"))
        return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_NOT_SUPPORTED, "there is no machine ID here") < 0 ? 0
                                                                                                                  : 1;
    return 0;
}

static int start_bus(struct client *client, int fd)
{
    CLEANUP_FD int owned_fd = fd;
    sd_id128_t identity = SD_ID128_NULL;
    int result = sd_bus_new(&client->bus);

    if (result >= 0)
        result = sd_id128_randomize(&identity);
    if (result >= 0)
        result = sd_bus_set_fd(client->bus, owned_fd, owned_fd);
    if (result < 0)
        return result;
    TAKE_FD(owned_fd); /* the bus closes it */
    result = sd_bus_set_server(client->bus, true, identity);
    if (result >= 0)
        result = sd_bus_negotiate_fds(client->bus, false);
    if (result >= 0)
        result = sd_bus_start(client->bus);
    if (result >= 0)
        result = sd_bus_add_filter(client->bus, NULL, on_message, client);
    if (result >= 0)
        result = bus_object_add(client->bus, client->clients->view);
    if (result >= 0)
        result = sd_bus_attach_event(client->bus, client->clients->event, SD_EVENT_PRIORITY_NORMAL);
    return result;
}

/* A timer of our own: neither call can fail. */
static void schedule_silence_check(struct clients *clients)
{
    (void)sd_event_source_set_time_relative(clients->silence_timer, SILENCE_CHECK);
    (void)sd_event_source_set_enabled(clients->silence_timer, SD_EVENT_ONESHOT);
}

static int add_client(struct clients *clients, int fd)
{
    CLEANUP_FD int owned_fd = fd;
    CLEANUP(client_freep) struct client *client = calloc(1, sizeof(*client));
    int result;

    if (!client)
        return -ENOMEM;
    client->clients = clients;
    client->last_heard = clock_monotonic_microseconds();
    result = start_bus(client, TAKE_FD(owned_fd));
    if (result < 0)
        return result;
    if (!clients->list)
        schedule_silence_check(clients);
    DL_APPEND(clients->list, client);
    clients->count++;
    TAKE_POINTER(client);
    if (clients->count > CLIENTS_MAX)
        drop(clients->list, "too many clients");
    return 0;
}

static bool is_root(int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t length = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == 0;
}

static int on_connection(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
    CLEANUP_FD int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int result;

    (void)source;
    (void)events;
    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            log_warn("cannot accept a control client", LOG_ERROR(-errno));
        return 0;
    }
    if (!is_root(fd)) {
        log_warn("control client that is not root refused");
        return 0;
    }
    result = add_client(userdata, TAKE_FD(fd));
    if (result < 0)
        log_warn("cannot serve a control client", LOG_ERROR(result));
    return 0;
}

static int on_silence_check(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct clients *clients = userdata;
    uint64_t now = clock_monotonic_microseconds();
    struct client *client;

    (void)planned;
    DL_FOREACH (clients->list, client) {
        if (now - client->last_heard >= SILENCE_LIMIT)
            drop(client, "silent");
    }
    (void)source;
    if (clients->list) /* otherwise nothing is to be woken up for */
        schedule_silence_check(clients);
    return 0;
}

static int on_change(sd_event_source *source, void *userdata)
{
    struct clients *clients = userdata;
    struct client *client;

    (void)source;
    DL_FOREACH (clients->list, client) {
        if (client->is_over || sd_bus_is_ready(client->bus) <= 0)
            continue;
        if (!reads_its_answers(client) || bus_object_announce_change(client->bus) < 0)
            drop(client, "does not read its answers");
    }
    return 0;
}

void clients_announce_change(struct clients *clients)
{
    (void)sd_event_source_set_enabled(clients->change_source, SD_EVENT_ONESHOT);
}

int clients_listen(struct clients *clients, int listener)
{
    int result;

    clients->accept_source = sd_event_source_disable_unref(clients->accept_source);
    close_fd(&clients->listener);
    clients->listener = listener;
    result = sd_event_add_io(clients->event, &clients->accept_source, listener, EPOLLIN, on_connection, clients);
    if (result < 0)
        return result;
    return sd_event_source_set_ratelimit(clients->accept_source, ACCEPT_INTERVAL, ACCEPT_BURST);
}

struct clients *clients_free(struct clients *clients)
{
    struct client *client, *next;

    if (!clients)
        return NULL;
    DL_FOREACH_SAFE(clients->list, client, next)
    {
        DL_DELETE(clients->list, client);
        (void)client_free(client);
    }
    sd_event_source_disable_unref(clients->accept_source);
    sd_event_source_disable_unref(clients->silence_timer);
    sd_event_source_disable_unref(clients->sweep_source);
    sd_event_source_disable_unref(clients->change_source);
    close_fd(&clients->listener);
    free(clients);
    return NULL;
}

static int add_deferred(struct clients *clients, sd_event_handler_t handler, sd_event_source **ret)
{
    int result = sd_event_add_defer(clients->event, ret, handler, clients);

    return result < 0 ? result : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int clients_new(sd_event *event, struct view *view, struct clients **ret)
{
    CLEANUP(clients_freep) struct clients *clients = calloc(1, sizeof(*clients));
    int result;

    if (!clients)
        return -ENOMEM;
    clients->event = event;
    clients->view = view;
    clients->listener = -1;
    result = add_deferred(clients, on_sweep, &clients->sweep_source);
    if (result >= 0)
        result = add_deferred(clients, on_change, &clients->change_source);
    if (result >= 0)
        result = sd_event_add_time_relative(event, &clients->silence_timer, CLOCK_MONOTONIC, SILENCE_CHECK,
                                            TIMER_ACCURACY, on_silence_check, clients);
    if (result >= 0)
        result = sd_event_source_set_enabled(clients->silence_timer, SD_EVENT_OFF);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(clients);
    return 0;
}
