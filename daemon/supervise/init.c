/*
 * anchord-init: PID 1 of the container. Its death would take the network namespace with it, and NAT with that
 * (NAT-14), so it does next to nothing: no file, no socket, no byte from anybody, libc only. It keeps the memory of the
 * metrics for its supervisors and does not look into it.
 *
 * The container's entry point; starts /usr/bin/anchord with its own arguments as the only child, passes SIGTERM and
 * SIGINT on, reaps orphans, and starts the supervisor again when it crashed. Runs as root with the container's
 * capabilities, which a restarted supervisor needs again. Works with any PID (tests, a systemd unit).
 */
#include "build_information.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/supervise/metrics_store.h"
#include "daemon/supervise/restart_policy.h"
#include "protocol/problems.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define NO_PROCESS ((pid_t)-1)
/* What a shell makes of a program that a signal ended, and `docker run` of a container. */
#define SHELL_STATUS_SIGNALLED 128

struct init {
    char **arguments;
    sigset_t inherited; /* the signal mask that we were started with */
    pid_t supervisor;   /* NO_PROCESS while it waits for its restart */
    struct restart_policy policy;
    uint64_t restart_at; /* monotonic microseconds, while there is no supervisor */
    int stop_signal;     /* 0: nobody has asked to stop */
    bool was_started_to_stop;
};

/* Else an operator's command, whose status is its answer: those, and no role, are without a hyphen (SPEC §1, §9). */
static bool is_role(const char *argument)
{
    return !argument || strchr(argument, '-');
}

static void schedule_restart(struct init *init)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t delay = restart_policy_next_delay(&init->policy, now);

    init->supervisor = NO_PROCESS;
    init->restart_at = now + delay;
    log_warn("starting the supervisor again", LOG_NUMBER("delay_seconds", delay / MICROSECONDS_PER_SECOND));
}

/*
 * SIGTERM and SIGINT stay blocked over exec: a stop that comes while the supervisor still loads waits for its event
 * loop. A command takes them as every program does, or nothing could end one that waits for its input. SIGKILL at our
 * death is for the case that we are not PID 1.
 */
static void start_supervisor(struct init *init)
{
    pid_t init_pid = getpid();

    restart_policy_started(&init->policy, clock_monotonic_microseconds());
    init->supervisor = fork();
    if (init->supervisor < 0) {
        log_error("cannot start the supervisor: fork failed", LOG_PROBLEM(PROBLEM_WORKER_AWAY), LOG_ERROR(-errno));
        schedule_restart(init);
        return;
    }
    if (init->supervisor > 0)
        return;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) < 0 || getppid() != init_pid)
        _exit(EXIT_STATUS_CRASH);
    if (!is_role(init->arguments[1]) && sigprocmask(SIG_SETMASK, &init->inherited, NULL) < 0)
        _exit(EXIT_STATUS_CRASH);
    (void)execv(ANCHORD_PROGRAM, init->arguments);
    log_error("cannot start the supervisor", LOG_PROBLEM(PROBLEM_WORKER_AWAY), LOG_TEXT("program", ANCHORD_PROGRAM),
              LOG_ERROR(-errno));
    _exit(EXIT_STATUS_CONFIGURATION);
}

/* Returns the exit status of this program, or -1 when the supervisor is to be started again. */
static int judge_death(const struct init *init, int wait_status)
{
    if (WIFEXITED(wait_status)) {
        int status = WEXITSTATUS(wait_status);

        if (init->stop_signal || !is_role(init->arguments[1]) || status == EXIT_STATUS_CLEAN ||
            status == EXIT_STATUS_CONFIGURATION || status == EXIT_STATUS_NAMESPACE_LOST)
            return status;
        log_error("the supervisor died", LOG_PROBLEM(PROBLEM_WORKER_AWAY), LOG_NUMBER("status", status));
        return -1;
    }
    if (init->stop_signal && !is_role(init->arguments[1]))
        return SHELL_STATUS_SIGNALLED + WTERMSIG(wait_status); /* who sent it need not be told */
    log_error(is_role(init->arguments[1]) ? "the supervisor died" : "the command died",
              LOG_PROBLEM(PROBLEM_WORKER_AWAY), LOG_TEXT("signal", sigabbrev_np(WTERMSIG(wait_status))));
    return init->was_started_to_stop || !is_role(init->arguments[1]) ? EXIT_STATUS_CRASH : -1;
}

/* What a supervisor that is dead has left, its successor finds and undoes: once, with the signal, which awaits it. */
static void start_to_stop(struct init *init)
{
    init->was_started_to_stop = true;
    init->restart_at = 0;
    start_supervisor(init);
    if (init->supervisor != NO_PROCESS)
        (void)kill(init->supervisor, init->stop_signal);
}

/* Reaps whatever ended, ours or orphaned. Returns as judge_death(). */
static int reap_children(struct init *init)
{
    int wait_status;
    pid_t pid;

    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        int exit_status = pid == init->supervisor ? judge_death(init, wait_status) : -1;

        if (pid != init->supervisor)
            continue;
        if (exit_status >= 0)
            return exit_status;
        if (init->stop_signal)
            start_to_stop(init);
        else
            schedule_restart(init);
    }
    return -1;
}

/* Waits for one of `signals` or for the time of the restart. Returns the signal, or 0. */
static int wait_for_signal(const struct init *init, const sigset_t *signals)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t left = init->restart_at > now ? init->restart_at - now : 0;
    struct timespec timeout = {(time_t)(left / MICROSECONDS_PER_SECOND), (long)(left % MICROSECONDS_PER_SECOND * 1000)};
    int signal_number = sigtimedwait(signals, NULL, init->supervisor == NO_PROCESS ? &timeout : NULL);

    return signal_number < 0 ? 0 : signal_number;
}

int main(int argc, char **argv)
{
    static char supervisor_name[] = "anchord";
    struct init init = {.arguments = argv, .supervisor = NO_PROCESS};
    sigset_t signals;

    log_initialise("init");
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGCHLD);
    if (argc < 1 || sigprocmask(SIG_BLOCK, &signals, &init.inherited) < 0 ||
        prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0)
        return EXIT_STATUS_CRASH;
    metrics_store_bequeath();
    argv[0] = supervisor_name;
    for (;;) {
        int exit_status, signal_number;

        if (init.supervisor == NO_PROCESS && clock_monotonic_microseconds() >= init.restart_at)
            start_supervisor(&init);
        signal_number = wait_for_signal(&init, &signals);
        if (signal_number == SIGTERM || signal_number == SIGINT) {
            init.stop_signal = signal_number;
            if (init.supervisor == NO_PROCESS)
                start_to_stop(&init);
            else
                (void)kill(init.supervisor, signal_number); /* fails only if it just died: SIGCHLD follows */
        }
        exit_status = reap_children(&init);
        if (exit_status >= 0)
            return exit_status;
    }
}
