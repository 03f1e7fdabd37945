/* The worker `bans` as the supervisors run it; see bans_worker.h. Runs in the supervisor, as root. */
#include "daemon/role/bans_worker.h"

#include "common/log.h"
#include "daemon/supervise/ban_socket.h"
#include "daemon/supervise/runtime_directory.h"
#include "daemon/supervise/users.h"
#include "protocol/problems.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#define CONNECTIONS_WAITING_MAX 32

/* A volume that somebody mounted, or a unit's StateDirectory (KEEP-1). */
#define STATE_DIRECTORY "/var/lib/anchord"
#define FILE_NAME       "bans"

static bool is_directory(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/*
 * Root's, so that root gets in without a capability, and the worker's by its group. Changed by its descriptor: where it
 * stands may be somebody else's, who could put another file in its place. Returns -EPERM without CAP_CHOWN.
 */
static int make_directory(const char *path)
{
    CLEANUP_FD int fd = -1;
    struct stat status;
    mode_t mask = umask(0007);
    int result = mkdir(path, 0770) < 0 && errno != EEXIST ? -errno : 0;

    (void)umask(mask);
    if (result < 0)
        return result;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (status.st_uid != 0)
        return -EEXIST;
    if (status.st_gid != BANS_USER && fchown(fd, 0, BANS_USER) < 0)
        return -errno;
    return fchmod(fd, 0770) < 0 ? -errno : 0;
}

static int open_root_socket(int *ret)
{
    const struct runtime_directory_listener listener = {.type = SOCK_SEQPACKET, .waiting_max = CONNECTIONS_WAITING_MAX};
    struct sockaddr_un address;
    int result = runtime_directory_make();

    if (result == 0)
        result = ban_socket_address(NULL, &address);
    return result < 0 ? result : runtime_directory_listen(&address, &listener, ret);
}

/*
 * Whoever may enter its directory by that one's group may ban. Who could write there, or make it another group's, could
 * put another socket in our place. Returns -EPERM for such a directory.
 */
static int open_given_socket(const char *path, int *ret)
{
    struct runtime_directory_listener listener = {.type = SOCK_SEQPACKET, .waiting_max = CONNECTIONS_WAITING_MAX};
    struct sockaddr_un address;
    char directory[DOCKER_HOST_SIZE];
    struct stat status;
    int result = ban_socket_address(path, &address);

    if (result < 0)
        return result;
    (void)snprintf(directory, sizeof(directory), "%s", path);
    *strrchr(directory, '/') = '\0';
    if (stat(directory, &status) < 0)
        return -errno;
    if (status.st_uid != 0 || status.st_mode & (S_IWGRP | S_IWOTH))
        return -EPERM;
    listener.group = status.st_gid;
    return runtime_directory_listen(&address, &listener, ret);
}

static int make_place(struct bans_openings *openings)
{
    int length;

    openings->is_lasting = is_directory(STATE_DIRECTORY);
    length = snprintf(openings->directory, sizeof(openings->directory), "%s/bans",
                      openings->is_lasting ? STATE_DIRECTORY : runtime_directory_path());
    if (length < 0 || (size_t)length >= sizeof(openings->directory))
        return -ENAMETOOLONG;
    return make_directory(openings->directory);
}

void bans_worker_open(const struct configuration *configuration, struct bans_openings *ret)
{
    const char *given = configuration->ban_socket;
    const char *path = "the runtime directory";
    int result;

    *ret = (struct bans_openings){.listeners = {-1, -1}};
    result = open_root_socket(&ret->listeners[BAN_SOCKET_ROOT]);
    if (result == 0) {
        path = ret->directory;
        result = make_place(ret);
    }
    if (result < 0) {
        if (result == -EPERM && path == ret->directory)
            log_warn("nobody can be banned; add the capability to the service in Compose", LOG_PROBLEM(PROBLEM_NO_BANS),
                     LOG_TEXT("path", path), LOG_TEXT("capability", "CHOWN"), LOG_TEXT("line", "cap_add: [CHOWN]"));
        else
            log_warn("nobody can be banned; with read_only: true add the line to the service in Compose",
                     LOG_PROBLEM(PROBLEM_NO_BANS), LOG_TEXT("path", path), LOG_TEXT("line", "tmpfs: [/run]"),
                     LOG_ERROR(result));
        bans_worker_close(ret);
        return;
    }
    if (given[0] == '\0')
        return;
    result = open_given_socket(given, &ret->listeners[BAN_SOCKET_GIVEN]);
    if (result < 0)
        log_error("cannot make the ban socket; its directory must be there, root's, and writable by nobody else",
                  LOG_PROBLEM(PROBLEM_NO_BANS), LOG_TEXT("variable", "ANCHORD_BAN_SOCKET"), LOG_TEXT("path", given),
                  LOG_ERROR(result));
}

void bans_worker_close(struct bans_openings *openings)
{
    for (size_t i = 0; i < BAN_SOCKET_MAX_; i++)
        close_fd(&openings->listeners[i]);
    openings->directory[0] = '\0';
}

struct worker_definition bans_worker_definition(const struct bans_openings *openings)
{
    return (struct worker_definition){
        .name = "bans",
        .program = "anchord-bans",
        .user = BANS_USER,
        .writer = METRICS_WRITER_BANS,
        .receives = DIRECTION_BANS_TO_SUPERVISOR,
        .directory = openings->directory,
    };
}

static bool has_file(const struct bans_openings *openings)
{
    char path[PATH_MAX + sizeof(FILE_NAME)];
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s/" FILE_NAME, openings->directory);
    return openings->directory[0] && lstat(path, &status) == 0 && status.st_size > 0;
}

void bans_worker_configure(struct worker *worker, const struct configuration *configuration,
                           const struct bans_openings *openings)
{
    const struct message_configure_bans message = {
        .header = message_header_make(MESSAGE_CONFIGURE_BANS, sizeof(message), 0),
        .log_level = configuration->log_level,
        .is_lasting = openings->is_lasting,
    };
    struct message_ban_listener listener = {.header = message_header_make(MESSAGE_BAN_LISTENER, sizeof(listener), 0)};

    worker_send(worker, &message.header, -1);
    for (size_t i = 0; i < BAN_SOCKET_MAX_; i++) {
        listener.is_roots = i == BAN_SOCKET_ROOT;
        if (openings->listeners[i] >= 0)
            worker_send(worker, &listener.header, openings->listeners[i]);
    }
}

void bans_worker_stop_awaiting(struct bans_activation *activation)
{
    for (size_t i = 0; i < BAN_SOCKET_MAX_; i++)
        activation->sources[i] = sd_event_source_disable_unref(activation->sources[i]);
}

static int on_wanted(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
    struct bans_activation *activation = userdata;

    (void)source;
    (void)listener;
    (void)events;
    bans_worker_stop_awaiting(activation);
    worker_start(activation->worker);
    return 0;
}

void bans_worker_await(sd_event *event, const struct bans_openings *openings, struct worker *worker,
                       struct bans_activation *activation)
{
    int result = 0;

    activation->worker = worker;
    if (has_file(openings)) {
        worker_start(worker);
        return;
    }
    for (size_t i = 0; i < BAN_SOCKET_MAX_ && result >= 0; i++) {
        if (openings->listeners[i] >= 0)
            result =
                sd_event_add_io(event, &activation->sources[i], openings->listeners[i], EPOLLIN, on_wanted, activation);
    }
    if (result >= 0)
        return;
    log_error("nobody can be banned", LOG_PROBLEM(PROBLEM_NO_BANS), LOG_ERROR(result));
    bans_worker_stop_awaiting(activation);
}
