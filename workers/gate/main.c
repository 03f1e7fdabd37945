/*
 * anchord-gate: the one process that may open Docker's socket; everybody else asks through it (WALL-7).
 *
 * Started by the supervisor with a user of its own, the group of Docker's socket, no capability and one socket,
 * descriptor 3. It reads the requests of watcher and keeper, compares each with one table, and copies what Docker says
 * without reading it. It links no library that parses, and has an event loop of its own: poll(2) of a fixed array.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "protocol/datagram.h"
#include "protocol/metrics.h"
#include "protocol/supervised_start.h"
#include "protocol/upkeep.h"
#include "workers/gate/relay.h"

#include <seccomp.h>
#include <sys/socket.h>

/* 3 standard streams, the supervisor, the process' own numbers, 2 listeners, 8 connections with 2 ends each. */
#define OPEN_FILES_MAX 32
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

static uint64_t shut_until; /* nobody is let in before: descriptors or memory were short */

/* A PONG that the supervisor cannot take now is one that it has no need of: it waits for the next. */
static void answer_ping(const struct message_header *ping)
{
    struct message_ping pong = {.header = message_header_make(MESSAGE_PONG, sizeof(pong), ping->generation)};

    shut_until = 0;
    log_tell_left_out();
    (void)send(SUPERVISOR_DESCRIPTOR, &pong, sizeof(pong), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* It ends us, and the channel with us. */
static int gate_refuse(const struct message_header *message)
{
    log_error("unexpected message from the supervisor", LOG_TEXT("type", message_type_to_string(message->type)));
    return -EPROTO;
}

/* Returns 0, a negative errno that ends us, or 1 for an orderly end. */
static int gate_on_supervisor_message(const struct message_header *message, int descriptor)
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
        return relay_configure((const struct message_configure_gate *)message);
    case MESSAGE_GATE_LISTENER:
        return relay_add_listener((const struct message_gate_listener *)message, TAKE_FD(owned));
    case MESSAGE_STOP:
        return 1;
    default:
        return gate_refuse(message);
    }
}

static int on_supervisor_ready(void)
{
    const struct message_header *message = NULL;
    const char *reason = NULL;
    int descriptor = -1;
    int result = datagram_receive(SUPERVISOR_DESCRIPTOR, DIRECTION_SUPERVISOR_TO_GATE, &message, &descriptor, &reason);

    if (result == -ENODATA)
        return 1; /* the supervisor has gone, and we with it */
    if (result > 0) {
        reason = "cannot follow it";
        result = gate_on_supervisor_message(message, descriptor);
    }
    if (result < 0)
        log_error("connection to the supervisor ended", LOG_TEXT("reason", reason), LOG_ERROR(result));
    return result;
}

/* One turn. Returns as gate_on_supervisor_message(). */
static int serve(void)
{
    struct pollfd polled[1 + RELAY_POLLED] = {{.fd = SUPERVISOR_DESCRIPTOR, .events = POLLIN}};
    uint64_t longest = upkeep_before_sleep(), now = clock_monotonic_microseconds();
    int count;

    relay_prepare(polled + 1, now >= shut_until);
    if (now < shut_until && longest > shut_until - now)
        longest = shut_until - now;
    count = poll(polled, ARRAY_LENGTH(polled),
                 longest == UINT64_MAX ? -1 : (int)(longest / MICROSECONDS_PER_MILLISECOND + 1));
    upkeep_before_work();
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    if (!relay_serve(polled + 1))
        shut_until = clock_monotonic_microseconds() + LOOK_AGAIN_INTERVAL;
    return polled[0].revents ? on_supervisor_ready() : 0;
}

int main(void)
{
    int status = supervised_enter("gate", 0, NULL);
    int result = 0;

    if (status != EXIT_STATUS_CLEAN)
        return status;
    if (supervised_seal(&profile) < 0)
        return EXIT_STATUS_SANDBOX;
    while (result == 0)
        result = serve();
    return result > 0 ? EXIT_STATUS_CLEAN : EXIT_STATUS_CRASH;
}
