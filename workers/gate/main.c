/*
 * anchord-gate: the one process that may open Docker's socket; everybody else asks through it (WALL-7).
 *
 * Started by the supervisor with a user of its own, the group of Docker's socket, no capability and one socket,
 * descriptor 3. It reads the requests of watcher and keeper, compares each with one table, and copies what Docker says
 * without reading it. It links no library that parses, and has an event loop of its own: epoll and nothing else.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/metrics.h"
#include "protocol/upkeep.h"
#include "protocol/validate.h"
#include "workers/gate/relay.h"

#include <seccomp.h>
#include <signal.h>
#include <sys/socket.h>

/* 3 standard streams, the supervisor, epoll, the process' own numbers, 2 listeners, 8 connections with 2 ends each. */
#define OPEN_FILES_MAX 32
#define KEY_SUPERVISOR 0
/* When descriptors or memory were short, so long passes before another try. */
#define LOOK_AGAIN_INTERVAL (5 * MICROSECONDS_PER_SECOND)

static const int system_calls[] = {SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(getsockopt)};
static const int socket_families[] = {AF_UNIX};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .socket_families = socket_families,
    .socket_family_count = ARRAY_LENGTH(socket_families),
    .open_files = OPEN_FILES_MAX,
};

/* Receives one message and at most one descriptor. Returns its length, 0 at the end, or a negative errno. */
static ssize_t receive(void *buffer, size_t size, int *ret_descriptor)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {buffer, size};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes};
    struct cmsghdr *rights;
    ssize_t length;

    datagram.msg_controllen = sizeof(control.bytes);
    length = recvmsg(SUPERVISOR_DESCRIPTOR, &datagram, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0)
        return -errno;
    rights = CMSG_FIRSTHDR(&datagram);
    if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
        memcpy(ret_descriptor, CMSG_DATA(rights), sizeof(int));
    return datagram.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EBADMSG : length;
}

/* A PONG that the supervisor cannot take now is one that it has no need of: it waits for the next. */
static void answer_ping(const struct message_header *ping)
{
    struct message_ping pong = {.header = message_header_make(MESSAGE_PONG, sizeof(pong), ping->generation)};

    relay_look_again();
    log_tell_left_out();
    (void)send(SUPERVISOR_DESCRIPTOR, &pong, sizeof(pong), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int configure(int epoll, const struct message_configure_gate *configuration)
{
    log_set_level((enum log_level)configuration->log_level);
    return relay_configure(epoll, configuration);
}

/* It ends us, and the channel with us. */
static int gate_refuse(const struct message_header *message)
{
    log_error("unexpected message from the supervisor", LOG_TEXT("type", message_type_to_string(message->type)));
    return -EPROTO;
}

/* Returns 0, a negative errno that ends us, or 1 for an orderly end. */
static int take_message(int epoll, const struct message_header *message, int descriptor)
{
    CLEANUP_FD int owned = descriptor;

    switch (message->type) {
    case MESSAGE_PING:
        answer_ping(message);
        return 0;
    case MESSAGE_METRICS_PAGE:
        metrics_accept(message, TAKE_FD(owned));
        return 0;
    case MESSAGE_CONFIGURE_GATE:
        return configure(epoll, (const struct message_configure_gate *)message);
    case MESSAGE_GATE_LISTENER:
        return relay_add_listener((const struct message_gate_listener *)message, TAKE_FD(owned));
    case MESSAGE_STOP:
        return 1;
    default:
        return gate_refuse(message);
    }
}

static int on_supervisor_ready(int epoll)
{
    static _Alignas(8) uint8_t buffer[MESSAGE_LENGTH_MAX];
    CLEANUP_FD int descriptor = -1;
    const char *reason = "cannot receive";
    ssize_t length = receive(buffer, sizeof(buffer), &descriptor);
    int result;

    if (length == -EAGAIN || length == -EINTR)
        return 0;
    if (length == 0 && descriptor < 0)
        return 1; /* the supervisor has gone, and we with it */
    result = length < 0
                 ? (int)length
                 : message_validate(DIRECTION_SUPERVISOR_TO_GATE, buffer, (size_t)length, descriptor >= 0, &reason);
    if (result == 0) {
        reason = "cannot follow it";
        result = take_message(epoll, (const struct message_header *)buffer, TAKE_FD(descriptor));
    }
    if (result < 0)
        log_error("connection to the supervisor ended", LOG_TEXT("reason", reason), LOG_ERROR(result));
    return result;
}

/* Returns as epoll_wait(2): one event at a time, because what it closes cannot be in the list of the others. */
static int wait_for_event(int epoll, struct epoll_event *ret)
{
    uint64_t longest = upkeep_before_sleep();

    if (relay_is_short() && longest > LOOK_AGAIN_INTERVAL)
        longest = LOOK_AGAIN_INTERVAL;
    return epoll_wait(epoll, ret, 1, longest == UINT64_MAX ? -1 : (int)(longest / MICROSECONDS_PER_MILLISECOND + 1));
}

static int serve(int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = KEY_SUPERVISOR}};
    int result = 0;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, SUPERVISOR_DESCRIPTOR, &event) < 0) {
        log_error("cannot make an event loop", LOG_ERROR(-errno));
        return EXIT_STATUS_CRASH;
    }
    while (result == 0) {
        int count = wait_for_event(epoll, &event);

        if (count < 0 && errno != EINTR)
            return EXIT_STATUS_CRASH;
        upkeep_before_work();
        if (count == 0 && relay_is_short())
            relay_look_again();
        if (count == 1 && event.data.u32 == KEY_SUPERVISOR)
            result = on_supervisor_ready(epoll);
        else if (count == 1)
            relay_on_ready(event.data.u32, event.events);
    }
    return result > 0 ? EXIT_STATUS_CLEAN : EXIT_STATUS_CRASH;
}

int main(void)
{
    CLEANUP_FD int epoll = epoll_create1(EPOLL_CLOEXEC);
    const char *step = "epoll_create1";
    int result = epoll < 0 ? -errno : 0;

    sandbox_keep_heap_small();
    log_initialise("gate");
    if (result == 0)
        result = sandbox_enter(0, &step);
    if (result == 0)
        result = sandbox_block_stop_signals();
    if (result == 0)
        result = sandbox_seal(&profile, &step);
    if (result < 0) {
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_SANDBOX;
    }
    return serve(epoll);
}
