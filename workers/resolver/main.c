/*
 * anchord-resolver: finds the gateway of a service-anchor by its name (SA-1).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3. It talks DNS and
 * nothing else; what it finds is judged by netadmin, which alone may change the network (DESIGN §1).
 */
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/event_loop.h"
#include "workers/resolver/resolver.h"

#include <signal.h>

static enum exit_status run(void)
{
    CLEANUP(event_loop_unrefp) sd_event *event = NULL;
    CLEANUP(resolver_freep) struct resolver *resolver = NULL;
    int result = event_loop_new(&event);

    if (result < 0) {
        log_error("cannot make an event loop", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    if (resolver_new(event, &resolver) < 0)
        return EXIT_STATUS_CRASH;
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

    log_initialise("resolver");
    result = sandbox_enter(0, &step);
    if (result < 0) {
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_SANDBOX;
    }
    result = sandbox_block_stop_signals();
    if (result == 0 && signal(SIGPIPE, SIG_IGN) == SIG_ERR) /* a DNS server that ends a TCP connection */
        result = -errno;
    if (result < 0) {
        log_error("cannot block signals", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return run();
}
