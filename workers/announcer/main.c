/*
 * anchord-announcer: tells the neighbours on LAN and shared network which addresses are ours (ADDR-12, ADDR-13, GW-1).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3. Its raw sockets come
 * from the supervisor, who could open them; it opens none itself, reads no file and runs nothing (DESIGN §1).
 */
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/event_loop.h"
#include "workers/announcer/announcer.h"

#include <seccomp.h>

/* 3 standard streams, the supervisor, epoll, a timer, two raw sockets, netadmin's channel; for a moment a successor of
 * each of the last three. */
#define OPEN_FILES_MAX 16

/* Besides what every process needs (common/sandbox.c): the raw sockets come after the seal and are set up then. */
static const int system_calls[] = {SCMP_SYS(bind), SCMP_SYS(setsockopt)};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
};

static enum exit_status run(void)
{
    CLEANUP(event_loop_unrefp) sd_event *event = NULL;
    CLEANUP(announcer_freep) struct announcer *announcer = NULL;
    const char *step = NULL;
    int result = event_loop_new(&event);

    if (result < 0) {
        log_error("cannot make an event loop", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    if (announcer_new(event, &announcer) < 0)
        return EXIT_STATUS_CRASH;
    result = sandbox_seal(&profile, &step);
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

    log_initialise("announcer");
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
