/*
 * anchord-control: shows operators what the anchor does, as a D-Bus object on a unix socket (SPEC §8, §9).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3. The listening socket
 * comes from the supervisor; it opens none itself, reads no file and runs nothing (DESIGN §1).
 */
#include "common/log.h"
#include "protocol/supervised.h"
#include "workers/control/control.h"

#include <seccomp.h>

/* 3 standard streams, the supervisor, epoll, a timer, the listener, two peers, 16 clients and one more. */
#define OPEN_FILES_MAX 40
/* A client may announce a message of 128 MiB (D-Bus specification): it gets no memory for that. */
#define MEMORY_MAX (UINT64_C(64) * 1024 * 1024)

/* Besides what every process needs (common/sandbox.c): accepting, and what sd-bus asks of an accepted socket. */
static const int system_calls[] = {
    SCMP_SYS(accept4),     SCMP_SYS(fcntl),      SCMP_SYS(fstat),      SCMP_SYS(getpeername),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(newfstatat), SCMP_SYS(geteuid),
    SCMP_SYS(getuid),      SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
    .is_refused_files = true,
};

static int limit_memory(void)
{
    if (setrlimit(RLIMIT_DATA, &(struct rlimit){MEMORY_MAX, MEMORY_MAX}) < 0) {
        log_error("cannot limit the memory", LOG_ERROR(-errno));
        return -errno;
    }
    return 0;
}

static int run(sd_event *event)
{
    CLEANUP(control_freep) struct control *control = NULL;

    if (control_new(event, &control) < 0)
        return EXIT_STATUS_CRASH;
    if (limit_memory() < 0 || supervised_seal(&profile) < 0)
        return EXIT_STATUS_SANDBOX;
    return supervised_loop(event);
}

int main(void)
{
    return supervised_main("control", 0, NULL, run);
}
