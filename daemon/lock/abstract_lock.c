/* The lock by an abstract name; see abstract_lock.h. Runs in the supervisor, as root. */
#include "daemon/lock/abstract_lock.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/supervise/timer.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Abstract: the first byte of sun_path is 0 (unix(7)). */
#define LOCK_NAME "anchord/service-anchor"

/* More than this many wait in the listening queue, which keeps them connected as well. */
#define STANDBYS_MAX 8

/* Between an end of the active one and our bind another one may come and go; also after an odd failure. */
#define RETRY_DELAY (100 * MICROSECONDS_PER_MILLISECOND)

struct standby {
    struct abstract_lock *lock;
    int fd;
    sd_event_source *source;
};

struct abstract_lock {
    sd_event *event;
    struct lock_callbacks callbacks;
    int fd; /* listening while the lock is held, else connected to its holder, or -1 */
    sd_event_source *source;
    sd_event_source *retry_timer;
    bool is_held;
    struct standby standbys[STANDBYS_MAX];
    size_t standby_count;
};

static socklen_t make_address(struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path + 1, LOCK_NAME, strlen(LOCK_NAME));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(LOCK_NAME));
}

static bool peer_is_root(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
}

static void close_socket(struct abstract_lock *lock)
{
    lock->source = sd_event_source_disable_unref(lock->source);
    close_fd(&lock->fd);
}

static void drop_standby(struct standby *standby)
{
    struct abstract_lock *lock = standby->lock;

    standby->source = sd_event_source_disable_unref(standby->source);
    close_fd(&standby->fd);
    lock->standby_count--;
}

/* It has ended: it sends nothing. */
static int on_standby_gone(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    drop_standby(userdata);
    return 0;
}

static void add_standby(struct abstract_lock *lock, int *connection)
{
    for (size_t i = 0; i < STANDBYS_MAX; i++) {
        struct standby *standby = &lock->standbys[i];

        if (standby->source)
            continue;
        *standby = (struct standby){.lock = lock, .fd = -1};
        if (sd_event_add_io(lock->event, &standby->source, *connection, EPOLLIN, on_standby_gone, standby) < 0)
            return;
        standby->fd = TAKE_FD(*connection);
        lock->standby_count++;
        return;
    }
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    CLEANUP_FD int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)source;
    (void)events;
    if (connection >= 0 && peer_is_root(connection))
        add_standby(userdata, &connection);
    return 0;
}

static void become_active(struct abstract_lock *lock)
{
    lock->is_held = true;
    lock->callbacks.on_acquired(lock->callbacks.userdata);
}

static int try_to_lock(struct abstract_lock *lock);

static void try_later(struct abstract_lock *lock)
{
    timer_set(lock->retry_timer, RETRY_DELAY);
}

static int try_again(struct abstract_lock *lock)
{
    int result = try_to_lock(lock);

    if (result < 0) {
        log_error("cannot take the lock on the network namespace, retrying", LOG_ERROR(result));
        close_socket(lock);
        try_later(lock);
    }
    return 0;
}

static int on_retry(sd_event_source *source, uint64_t planned, void *userdata)
{
    (void)source;
    (void)planned;
    return try_again(userdata);
}

static int on_holder_gone(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct abstract_lock *lock = userdata;

    (void)source;
    (void)fd;
    (void)events;
    close_socket(lock);
    return try_again(lock);
}

static int wait_for_holder(struct abstract_lock *lock, const struct sockaddr_un *address, socklen_t length)
{
    if (connect(lock->fd, (const struct sockaddr *)address, length) < 0) {
        if (errno != ECONNREFUSED && errno != EAGAIN)
            return -errno;
        close_socket(lock);
        try_later(lock); /* it has just gone, or does not listen yet, or has too many */
        return 0;
    }
    if (!peer_is_root(lock->fd)) {
        log_warn("another user's process holds the lock of service-anchors, going on without it");
        close_socket(lock);
        become_active(lock);
        return 0;
    }
    lock->callbacks.on_standby(lock->callbacks.userdata);
    return sd_event_add_io(lock->event, &lock->source, lock->fd, EPOLLIN, on_holder_gone, lock);
}

static int try_to_lock(struct abstract_lock *lock)
{
    struct sockaddr_un address;
    socklen_t length = make_address(&address);
    int result;

    lock->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (lock->fd < 0)
        return -errno;
    if (bind(lock->fd, (const struct sockaddr *)&address, length) < 0)
        return errno == EADDRINUSE ? wait_for_holder(lock, &address, length) : -errno;
    if (listen(lock->fd, STANDBYS_MAX) < 0)
        return -errno;
    result = sd_event_add_io(lock->event, &lock->source, lock->fd, EPOLLIN, on_connection, lock);
    if (result < 0)
        return result;
    become_active(lock);
    return 0;
}

int abstract_lock_new(sd_event *event, const struct lock_callbacks *callbacks, struct abstract_lock **ret)
{
    CLEANUP(abstract_lock_freep) struct abstract_lock *lock = calloc(1, sizeof(*lock));
    int result;

    if (!lock)
        return -ENOMEM;
    lock->event = event;
    lock->callbacks = *callbacks;
    lock->fd = -1;
    result = timer_new(event, CLOCK_MONOTONIC, 0, on_retry, lock, &lock->retry_timer);
    if (result >= 0)
        result = try_to_lock(lock);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(lock);
    return 0;
}

struct abstract_lock *abstract_lock_free(struct abstract_lock *lock)
{
    if (!lock)
        return NULL;
    for (size_t i = 0; i < STANDBYS_MAX; i++) {
        if (lock->standbys[i].source)
            drop_standby(&lock->standbys[i]);
    }
    close_socket(lock);
    sd_event_source_disable_unref(lock->retry_timer);
    free(lock);
    return NULL;
}

bool abstract_lock_is_held(const struct abstract_lock *lock)
{
    return lock->is_held;
}

bool abstract_lock_has_standby(const struct abstract_lock *lock)
{
    return lock->standby_count > 0;
}
