/* The host half's side of the meeting; see meeting_server.h. Runs in the supervisor, as root. */
#include "daemon/role/meeting_server.h"

#include "common/log.h"
#include "daemon/supervise/meeting_place.h"
#include "daemon/supervise/runtime_directory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_WAITING_MAX 4

struct meeting_server {
    sd_event *event;
    sd_event_source *source;
    struct meeting_server_callbacks callbacks;
    struct channel *channel; /* NULL: nobody is met */
};

/* Whoever may write there could put another socket in our place. */
static int make_directory(const char *path)
{
    struct stat status;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    if (lstat(path, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    if (status.st_uid != geteuid())
        return -EPERM;
    return chmod(path, 0700) < 0 ? -errno : 0; /* Docker makes what is mounted with 0755 */
}

/* That of all projects, and in it the one of this. */
static int make_directories(struct sockaddr_un *place)
{
    char *end = strrchr(place->sun_path, '/');
    int result = make_directory(MEETING_DIRECTORY);

    *end = '\0';
    if (result == 0)
        result = make_directory(place->sun_path);
    *end = '/';
    return result;
}

int meeting_server_listen(const char *project, int *ret_listener, const char **ret_path)
{
    static struct sockaddr_un place;
    const struct runtime_directory_listener listener = {.type = SOCK_SEQPACKET, .waiting_max = CONNECTIONS_WAITING_MAX};
    int result = meeting_place_of(project, &place);

    *ret_path = place.sun_path;
    if (result == 0)
        result = make_directories(&place);
    return result < 0 ? result : runtime_directory_listen(&place, &listener, ret_listener);
}

void meeting_server_leave(const char *project)
{
    struct sockaddr_un place;

    if (meeting_place_of(project, &place) == 0)
        (void)unlink(place.sun_path); /* a socket that stays only refuses connections */
}

static void on_message(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    struct meeting_server *server = userdata;

    (void)channel;
    server->callbacks.on_message(message, descriptor, server->callbacks.userdata);
}

static void on_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct meeting_server *server = userdata;

    server->channel = channel_free(channel);
    log_info("the identity half has gone", LOG_TEXT("reason", reason), LOG_ERROR(error));
    server->callbacks.on_parted(server->callbacks.userdata);
}

static bool is_root(int fd)
{
    struct ucred credentials;
    socklen_t length = sizeof(credentials);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 && credentials.uid == 0;
}

/* A newer one takes the older one's place: that one has died, and its end was not heard of yet. */
static int take(struct meeting_server *server, int accepted)
{
    const struct channel_callbacks callbacks = {on_message, on_closed, server};
    CLEANUP_FD int fd = accepted;
    int result;

    if (!is_root(fd))
        return -EPERM;
    server->channel = channel_free(server->channel);
    result = channel_new(server->event, TAKE_FD(fd), DIRECTION_IDENTITY_TO_HOST, &callbacks, &server->channel);
    if (result == 0)
        server->callbacks.on_met(server->callbacks.userdata);
    return result;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int result = accepted < 0 ? -errno : take(userdata, accepted);

    (void)source;
    (void)events;
    if (result < 0 && result != -EAGAIN && result != -ECONNABORTED)
        log_warn("cannot meet who came as the identity half", LOG_ERROR(result));
    return 0;
}

struct meeting_server *meeting_server_free(struct meeting_server *server)
{
    if (!server)
        return NULL;
    (void)channel_free(server->channel);
    sd_event_source_disable_unref(server->source);
    sd_event_unref(server->event);
    free(server);
    return NULL;
}

int meeting_server_new(sd_event *event, int listener, const struct meeting_server_callbacks *callbacks,
                       struct meeting_server **ret)
{
    CLEANUP(meeting_server_freep) struct meeting_server *server = calloc(1, sizeof(*server));
    int result;

    if (!server)
        return -ENOMEM;
    server->event = sd_event_ref(event);
    server->callbacks = *callbacks;
    result = sd_event_add_io(event, &server->source, listener, EPOLLIN, on_readable, server);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(server);
    return 0;
}

void meeting_server_send(struct meeting_server *server, const struct message_header *message)
{
    if (server->channel)
        (void)channel_send(server->channel, message, -1); /* on_closed() hears of a failure */
}

void meeting_server_refuse(struct meeting_server *server, const struct message_header *message, int descriptor)
{
    if (server->channel)
        channel_refuse(server->channel, message, descriptor);
    else
        close_fd(&descriptor);
}
