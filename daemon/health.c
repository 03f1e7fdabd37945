/* The health check; see health.h. Runs in the supervisor as root, and as whoever types the command. */
#include "daemon/health.h"

#include "common/log.h"
#include "common/sandbox.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define HEALTH_DIRECTORY "/run/anchord"
#define HEALTH_MAGIC     UINT32_C(0x68656c74) /* "helt" */
#define CONNECTIONS_MAX  8
/* Docker gives a health check seconds; the answer is there at once or not at all. */
#define ANSWER_TIMEOUT_SECONDS 2

struct health_answer {
    uint32_t magic;
    uint32_t required; /* enum readiness_condition */
    uint32_t held;
};

struct health {
    int fd;
    sd_event_source *source;
    struct health_answer answer = {0};
};

static const struct {
    enum readiness_condition condition;
    const char *name;
} names[] = {
    {READINESS_TABLES_INSTALLED, "tables_installed"},
    {READINESS_RECONCILED, "reconciled"},
    {READINESS_DOCKER_CONNECTED, "docker_connected"},
    {READINESS_ROUTE_INSTALLED, "route_installed"},
};

const char *health_format(uint32_t required, uint32_t held, char text[HEALTH_TEXT_SIZE])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (!(required & ~held & names[i].condition))
            continue;
        length += (size_t)snprintf(text + length, HEALTH_TEXT_SIZE - length, "%s%s: false", length > 0 ? ", " : "",
                                   names[i].name);
    }
    return text;
}

/* Returns 0, or -ENAMETOOLONG. */
static int make_address(struct sockaddr_un *ret, char directory[sizeof(ret->sun_path)])
{
    const char *given = getenv("RUNTIME_DIRECTORY");
    int length = snprintf(directory, sizeof(ret->sun_path), "%s", given && given[0] == '/' ? given : HEALTH_DIRECTORY);

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (length < 0 || (size_t)length + sizeof("/health") > sizeof(ret->sun_path))
        return -ENAMETOOLONG;
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path), "%.*s/health", length, directory);
    return 0;
}

/* Whether the other end belongs to root or to our own user. */
static bool peer_is_trusted(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    const struct health *health = userdata;
    CLEANUP_FD int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)source;
    (void)events;
    /* One that has gone again, or that may not ask: nothing to tell, and nothing to wait for. */
    if (connection >= 0 && peer_is_trusted(connection))
        (void)send(connection, &health->answer, sizeof(health->answer), MSG_NOSIGNAL);
    return 0;
}

int health_new(sd_event *event, struct health **ret)
{
    CLEANUP(health_freep) struct health *health = calloc(1, sizeof(*health));
    struct sockaddr_un address;
    char directory[sizeof(address.sun_path)];
    int result;

    if (!health)
        return -ENOMEM;
    health->answer.magic = HEALTH_MAGIC;
    health->answer.required = READINESS_ALL_; /* until the first health_publish() */
    health->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (health->fd < 0)
        return -errno;
    result = make_address(&address, directory);
    if (result < 0)
        return result;
    if (mkdir(directory, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (unlink(address.sun_path) < 0 && errno != ENOENT) /* of a supervisor that crashed */
        return -errno;
    if (bind(health->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(health->fd, CONNECTIONS_MAX) < 0)
        return -errno;
    result = sd_event_add_io(event, &health->source, health->fd, EPOLLIN, on_connection, health);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(health);
    return 0;
}

struct health *health_free(struct health *health)
{
    if (!health)
        return NULL;
    sd_event_source_disable_unref(health->source);
    close_fd(&health->fd);
    free(health);
    return NULL;
}

void health_publish(struct health *health, uint32_t required, uint32_t held)
{
    health->answer.required = required;
    health->answer.held = held;
}

/* Returns 0 or a negative errno. */
static int ask(struct health_answer *ret)
{
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_SECONDS};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    char directory[sizeof(address.sun_path)];
    ssize_t length;
    int result;

    if (fd < 0)
        return -errno;
    result = make_address(&address, directory);
    if (result < 0)
        return result;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    if (!peer_is_trusted(fd))
        return -EPERM;
    length = recv(fd, ret, sizeof(*ret), 0);
    if (length < 0)
        return -errno;
    return (size_t)length == sizeof(*ret) && ret->magic == HEALTH_MAGIC ? 0 : -EBADMSG;
}

int health_command(void)
{
    struct health_answer answer = {0};
    char unmet[HEALTH_TEXT_SIZE];
    int result = ask(&answer);

    if (result < 0) {
        (void)printf("no answer from anchord: %s\n", log_errno_text(result));
        return EXIT_STATUS_CONFIGURATION;
    }
    (void)health_format(answer.required, answer.held, unmet);
    (void)puts(unmet[0] ? unmet : "ready");
    return unmet[0] ? EXIT_STATUS_CONFIGURATION : EXIT_STATUS_CLEAN;
}
