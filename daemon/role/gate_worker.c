/* The worker `gate` as the supervisors run it; see gate_worker.h. Runs in the supervisor, as root. */
#include "daemon/role/gate_worker.h"

#include "common/text.h"
#include "daemon/configuration/configuration_parse.h"
#include "daemon/role/gate_scope.h"
#include "daemon/role/own_container.h"
#include "daemon/supervise/runtime_directory.h"
#include "daemon/supervise/users.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define GATE_DIRECTORY "gate"
/* As many as a client has connections, while the gate is away. */
#define CONNECTIONS_WAITING_MAX 4

static const char *const socket_names[GATE_SOCKET_MAX_] = {
    [GATE_SOCKET_WATCHER] = GATE_DIRECTORY "/watcher.sock",
    [GATE_SOCKET_KEEPER] = GATE_DIRECTORY "/keeper.sock",
};

static const uid_t users[GATE_SOCKET_MAX_] = {
    [GATE_SOCKET_WATCHER] = WATCHER_USER,
    [GATE_SOCKET_KEEPER] = KEEPER_USER,
};

bool gate_worker_is_used(const struct configuration *configuration)
{
    return configuration->role != ROLE_SERVICE_ANCHOR && configuration->role != ROLE_ATTACH_HOST &&
           strncmp(configuration->docker_host, DOCKER_HOST_UNIX, strlen(DOCKER_HOST_UNIX)) == 0;
}

static bool has_client(const struct configuration *configuration, enum gate_socket client)
{
    bool has_watcher = configuration->role == ROLE_NETWORK_ANCHOR || configuration->role == ROLE_ATTACH;

    return client == GATE_SOCKET_WATCHER ? has_watcher : configuration->role != ROLE_ATTACH;
}

/* 0711: its clients pass through; what else is in the directory above stays shut. */
static int make_directory(const char **ret_path)
{
    static struct sockaddr_un directory;
    struct stat status;
    int result = runtime_directory_make();

    *ret_path = runtime_directory_path();
    if (result < 0)
        return result;
    if (chmod(*ret_path, 0711) < 0)
        return -errno;
    result = runtime_directory_socket(GATE_DIRECTORY, &directory);
    if (result < 0)
        return result;
    *ret_path = directory.sun_path;
    if (mkdir(directory.sun_path, 0711) < 0 && errno != EEXIST)
        return -errno;
    if (lstat(directory.sun_path, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return -EEXIST;
    return chmod(directory.sun_path, 0711) < 0 ? -errno : 0; /* whatever the umask was */
}

int gate_worker_open_sockets(const struct configuration *configuration, struct gate_sockets *ret, const char **ret_path)
{
    const struct runtime_directory_listener listener = {
        .type = SOCK_STREAM, .waiting_max = CONNECTIONS_WAITING_MAX, .is_open_to_all = true};
    int result = make_directory(ret_path);

    for (size_t i = 0; i < GATE_SOCKET_MAX_ && result == 0; i++) {
        if (!has_client(configuration, (enum gate_socket)i))
            continue;
        *ret_path = socket_names[i];
        result = runtime_directory_socket(socket_names[i], &ret->addresses[i]);
        if (result == 0)
            result = runtime_directory_listen(&ret->addresses[i], &listener, &ret->listeners[i]);
    }
    return result;
}

void gate_worker_close_sockets(struct gate_sockets *sockets)
{
    for (size_t i = 0; i < GATE_SOCKET_MAX_; i++) {
        if (sockets->listeners[i] >= 0)
            (void)unlink(sockets->addresses[i].sun_path); /* a socket that stays only refuses connections */
        close_fd(&sockets->listeners[i]);
    }
}

struct worker_definition gate_worker_definition(const struct configuration *configuration)
{
    return (struct worker_definition){
        .name = "gate",
        .program = "anchord-gate",
        .user = GATE_USER,
        .writer = METRICS_WRITER_GATE,
        .receives = DIRECTION_GATE_TO_SUPERVISOR,
        .docker_host = configuration->docker_host,
    };
}

static enum gate_client client_of(const struct configuration *configuration, enum gate_socket socket)
{
    if (socket == GATE_SOCKET_WATCHER)
        return GATE_CLIENT_WATCHER;
    if (configuration->role == ROLE_WRAP_REBINDER)
        return GATE_CLIENT_KEEPER_WRAP;
    if (configuration->role == ROLE_EXTERNAL_REBINDER)
        return GATE_CLIENT_KEEPER_FOLLOW;
    return configuration->managed_count > 0 ? GATE_CLIENT_KEEPER_MANAGING : GATE_CLIENT_KEEPER;
}

void gate_worker_configure(struct worker *gate, const struct configuration *configuration,
                           const struct gate_sockets *sockets)
{
    struct message_configure_gate message = {
        .header = message_header_make(MESSAGE_CONFIGURE_GATE, sizeof(message), 0),
        .log_level = configuration->log_level,
    };
    char own_id[CONTAINER_ID_SIZE] = "";

    text_copy_cut(message.docker_socket, sizeof(message.docker_socket),
                  configuration->docker_host + strlen(DOCKER_HOST_UNIX));
    own_container_find_id(own_id);
    gate_scope_write(configuration, own_id, &message);
    worker_send(gate, &message.header, -1);
    for (size_t i = 0; i < GATE_SOCKET_MAX_; i++) {
        const struct message_gate_listener listener = {
            .header = message_header_make(MESSAGE_GATE_LISTENER, sizeof(listener), 0),
            .client = client_of(configuration, (enum gate_socket)i),
            .user = users[i],
        };

        if (sockets->listeners[i] >= 0)
            worker_send(gate, &listener.header, sockets->listeners[i]);
    }
}

void gate_worker_write_asked_at(const struct configuration *configuration, const struct gate_sockets *sockets,
                                enum gate_socket client, char asked_at[DOCKER_HOST_SIZE])
{
    if (sockets->listeners[client] < 0)
        memcpy(asked_at, configuration->docker_host, DOCKER_HOST_SIZE);
    else
        (void)snprintf(asked_at, DOCKER_HOST_SIZE, "%s%s", DOCKER_HOST_UNIX, sockets->addresses[client].sun_path);
}
