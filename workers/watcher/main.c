/*
 * anchord-watcher: reads Docker, computes which port leads to which container, tells netadmin (DESIGN §1).
 *
 * Started by the supervisor with one socket at descriptor 3, under its own user, without any capability. Trusts the
 * supervisor and netadmin; trusts nothing that Docker says.
 */
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/messages.h"
#include "workers/watcher/watcher.h"

#include <fcntl.h>
#include <signal.h>

/* The supervisor stops us by message, a dead peer is seen at the socket: signals say nothing that we need. */
static int block_signals(void)
{
    sigset_t blocked;

    if (sigemptyset(&blocked) < 0 || sigaddset(&blocked, SIGTERM) < 0 || sigaddset(&blocked, SIGINT) < 0 ||
        sigprocmask(SIG_BLOCK, &blocked, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    return 0;
}

static int run(void)
{
    CLEANUP(sd_event_unrefp) sd_event *event = NULL;
    CLEANUP(watcher_freep) struct watcher *watcher = NULL;
    int result = block_signals();

    if (result == 0 && fcntl(SUPERVISOR_DESCRIPTOR, F_SETFD, FD_CLOEXEC) < 0)
        result = -errno;
    if (result == 0)
        result = sd_event_new(&event);
    if (result >= 0)
        result = watcher_new(event, SUPERVISOR_DESCRIPTOR, &watcher);
    if (result < 0) {
        log_error("watcher cannot start", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    result = sd_event_loop(event);
    if (result < 0) {
        log_error("event loop failed", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return result;
}

int main(void)
{
    const char *step = NULL;
    int result;

    log_initialise("watcher");
    result = sandbox_enter(0, &step);
    if (result < 0) {
        log_error("a privilege could not be dropped", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_SANDBOX;
    }
    return run();
}
