/*
 * anchord-control: shows operators what the anchor does, as a D-Bus object on a unix socket (SPEC §8, §9).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3. The listening socket
 * comes from the supervisor; it opens none itself, reads no file and runs nothing (DESIGN §1).
 */
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/event_loop.h"
#include "workers/control/control.h"

#include <seccomp.h>

/* 3 standard streams, the supervisor, epoll, a timer, the listener, two peers, 16 clients and one more. */
#define OPEN_FILES_MAX 40
/* A client may announce a message of 128 MiB (D-Bus specification): it gets no memory for that. */
#define MEMORY_MAX (UINT64_C(64) * 1024 * 1024)

/* Besides what every process needs (common/sandbox.c): accepting, and what sd-bus asks of an accepted socket. */
static const int system_calls[] = {
    SCMP_SYS(accept4),    SCMP_SYS(fcntl),   SCMP_SYS(fstat),  SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
    SCMP_SYS(newfstatat), SCMP_SYS(geteuid), SCMP_SYS(getuid), SCMP_SYS(setsockopt),  SCMP_SYS(shutdown),
};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
};

static int seal(const char **ret_step)
{
    *ret_step = "memory limit";
    if (setrlimit(RLIMIT_DATA, &(struct rlimit){MEMORY_MAX, MEMORY_MAX}) < 0)
        return -errno;
    return sandbox_seal(&profile, ret_step);
}

static enum exit_status run(void)
{
    CLEANUP(event_loop_unrefp) sd_event *event = NULL;
    CLEANUP(control_freep) struct control *control = NULL;
    const char *step = NULL;
    int result = event_loop_new(&event);

    if (result < 0) {
        log_error("cannot make an event loop", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    if (control_new(event, &control) < 0)
        return EXIT_STATUS_CRASH;
    result = seal(&step);
    if (result < 0) {
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_SANDBOX;
    }
    result = sd_event_loop(event);
    if (result < 0) {
        log_error("event loop failed", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return (enum exit_status)result;
}

int main(void)
{
    const char *step = NULL;
    int result;

    log_initialise("control");
    result = sandbox_enter(0, &step);
    if (result < 0) {
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_SANDBOX;
    }
    result = sandbox_block_stop_signals();
    if (result < 0) {
        log_error("cannot block signals", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return run();
}
