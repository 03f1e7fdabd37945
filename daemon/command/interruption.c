/* Signals that wait until they are asked for; see interruption.h. Runs in commands. */
#include "daemon/command/interruption.h"

#include <signal.h>
#include <time.h>

static sigset_t stop_signals;
static bool was_asked;

void interruption_begin(void)
{
    (void)sigemptyset(&stop_signals);
    (void)sigaddset(&stop_signals, SIGHUP);
    (void)sigaddset(&stop_signals, SIGINT);
    (void)sigaddset(&stop_signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &stop_signals, NULL); /* fails on a wrong `how` alone */
}

bool interruption_wait(unsigned int milliseconds)
{
    const struct timespec limit = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};

    if (!was_asked)
        was_asked = sigtimedwait(&stop_signals, NULL, &limit) > 0;
    return was_asked;
}
