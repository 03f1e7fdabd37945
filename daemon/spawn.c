/* Starts the program of a worker; see spawn.h. Runs in the supervisor and, after fork, in its child, as root. */
#include "daemon/spawn.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/messages.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>

/* Caught and ignored signals back to their default, nothing blocked: exec would hand on what is ignored. */
static int reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* fails for SIGKILL, SIGSTOP and libc's own, which are default anyway */
    (void)sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return -errno;
    return 0;
}

static int arrange_descriptors(int supervisor_fd)
{
    /* The end itself may be any number, 0 or 3 too: moved out of the way first. */
    int high = fcntl(supervisor_fd, F_DUPFD_CLOEXEC, SUPERVISOR_DESCRIPTOR + 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (high < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(high, SUPERVISOR_DESCRIPTOR) < 0)
        return -errno;
    closefrom(SUPERVISOR_DESCRIPTOR + 1);
    return 0;
}

_Noreturn static void become_program(const struct spawn_request *request, pid_t parent)
{
    static char path[] = "PATH=/usr/bin:/usr/libexec/anchord";
    char journal[PATH_MAX];
    const char *journal_stream = getenv("JOURNAL_STREAM");
    char name[NAME_SIZE];
    char argument[NAME_SIZE];
    char *arguments[] = {name, request->argument ? argument : NULL, NULL};
    char *environment[] = {path, journal_stream ? journal : NULL, NULL};
    const char *step = "signals";
    int result = reset_signals();

    if (result == 0) {
        step = "descriptors";
        result = arrange_descriptors(request->supervisor_fd);
    }
    if (result == 0 && setpgid(0, 0) < 0) {
        step = "process group";
        result = -errno;
    }
    if (result == 0)
        result = privileges_become_worker(&request->privileges, parent, &step);
    if (result < 0) {
        log_error("cannot start a worker", LOG_TEXT("name", request->name), LOG_TEXT("step", step), LOG_ERROR(result));
        _exit(EXIT_STATUS_SANDBOX);
    }
    (void)snprintf(name, sizeof(name), "%s", request->name);
    (void)snprintf(argument, sizeof(argument), "%s", request->argument ? request->argument : "");
    (void)snprintf(journal, sizeof(journal), "JOURNAL_STREAM=%s", journal_stream ? journal_stream : "");
    (void)execve(request->program, arguments, environment);
    log_error("cannot start a worker", LOG_TEXT("program", request->program), LOG_TEXT("step", "exec"),
              LOG_ERROR(-errno));
    _exit(EXIT_STATUS_CRASH);
}

int spawn_worker(const struct spawn_request *request, pid_t *ret_pid)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0)
        become_program(request, parent);
    *ret_pid = pid;
    return 0;
}
