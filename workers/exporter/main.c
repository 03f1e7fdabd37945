/*
 * anchord-exporter: shows metrics and health over HTTP (SPEC §7, §8).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3. It opens nothing: the
 * listening socket and the metrics pages come from the supervisor, the pages for reading only (DESIGN §1).
 */
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/event_loop.h"
#include "workers/exporter/exporter.h"

#include <signal.h>

static enum exit_status run(void)
{
    CLEANUP(event_loop_unrefp) sd_event *event = NULL;
    CLEANUP(exporter_freep) struct exporter *exporter = NULL;
    int result = event_loop_new(&event);

    if (result == 0)
        result = exporter_new(event, &exporter);
    if (result < 0) {
        log_error("exporter cannot start", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
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

    log_initialise("exporter");
    result = sandbox_enter(0, &step);
    if (result < 0) {
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_SANDBOX;
    }
    result = sandbox_block_stop_signals();
    if (result < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) { /* a client that has gone is seen at its socket */
        log_error("cannot block signals", LOG_ERROR(result < 0 ? result : -errno));
        return EXIT_STATUS_CRASH;
    }
    return run();
}
