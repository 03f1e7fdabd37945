/* How every worker begins; see supervised_start.h. Runs in every worker, with the worker's own rights. */
#include "protocol/supervised_start.h"

#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* The supervisor stops us by message, a peer that has gone is seen at its socket: signals say nothing that we need. */
static int ignore_signals(void)
{
    int result = sandbox_block_stop_signals();

    if (result == 0 && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        result = -errno;
    return result;
}

int supervised_enter(const char *name, uint64_t capabilities, const char *remedy)
{
    const char *step = NULL;
    int result;

    sandbox_keep_heap_small();
    log_initialise(name);
    result = sandbox_enter(capabilities, &step);
    if (result == -EPERM && remedy && strcmp(step, SANDBOX_STEP_CAPABILITIES) == 0) {
        log_error(remedy, LOG_TEXT("operation", step), LOG_ERROR(result));
        return EXIT_STATUS_CONFIGURATION;
    }
    if (result < 0) {
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_SANDBOX;
    }
    result = ignore_signals();
    if (result == 0)
        return EXIT_STATUS_CLEAN;
    log_error("cannot ignore signals", LOG_ERROR(result));
    return EXIT_STATUS_CRASH;
}

int supervised_seal(const struct sandbox_profile *profile)
{
    const char *step = NULL;
    int result = sandbox_seal(profile, &step);

    if (result < 0)
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
    return result;
}
