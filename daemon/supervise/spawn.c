/* Starts a program with less than ours; see spawn.h. Runs in the supervisor and, after fork, in its child, as root. */
#include "daemon/supervise/spawn.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/messages.h"
#include "protocol/problems.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

/* Caught and ignored signals back to their default, nothing blocked: exec would hand on what is ignored. */
static int reset_signals(const struct spawn_request *request)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* fails for SIGKILL, SIGSTOP and libc's own, which are default anyway */
    if (request->ignores_requests) {
        (void)signal(SIGUSR1, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN);
    }
    (void)sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return -errno;
    return 0;
}

/* A descriptor may have any number, 0 or 3 too: moved out of the way first. */
static int move_high(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, SUPERVISOR_DESCRIPTOR + 1);
}

static int arrange_descriptors(const struct spawn_request *request)
{
    bool has_supervisor = request->supervisor_fd >= 0;
    int supervisor = has_supervisor ? move_high(request->supervisor_fd) : -1;
    bool has_output = request->output_fd >= 0;
    int output = has_output ? move_high(request->output_fd) : -1;
    int error = has_output ? move_high(request->error_fd) : -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return -errno;
    if (has_supervisor && (supervisor < 0 || dup2(supervisor, SUPERVISOR_DESCRIPTOR) < 0))
        return -errno;
    if (has_output && (output < 0 || dup2(output, STDOUT_FILENO) < 0 || error < 0 || dup2(error, STDERR_FILENO) < 0))
        return -errno;
    closefrom(has_supervisor ? SUPERVISOR_DESCRIPTOR + 1 : SUPERVISOR_DESCRIPTOR);
    return 0;
}

static int limit_resources(const struct spawn_request *request)
{
    for (size_t i = 0; i < request->limit_count; i++) {
        const struct spawn_limit *limit = &request->limits[i];

        if (setrlimit((__rlimit_resource_t)limit->resource, &(struct rlimit){limit->value, limit->value}) < 0)
            return -errno;
    }
    return 0;
}

_Noreturn static void become_program(const struct spawn_request *request, pid_t parent)
{
    static char path[] = "PATH=/usr/bin:/usr/libexec/anchord";
    char journal[PATH_MAX];
    const char *journal_stream = getenv("JOURNAL_STREAM");
    const char *name = request->arguments[0];
    char log_format[] = LOG_FORMAT_ENVIRONMENT "=json";
    bool is_ours = request->output_fd < 0; /* its output is the log's */
    char *environment[] = {path, is_ours ? log_format : NULL, is_ours && journal_stream ? journal : NULL, NULL};
    const char *step = "signals";
    int result = reset_signals(request);

    if (result == 0) {
        step = "descriptors";
        result = arrange_descriptors(request);
    }
    if (result == 0 && setpgid(0, 0) < 0) {
        step = "process group";
        result = -errno;
    }
    if (result == 0 && request->directory && chdir(request->directory) < 0) {
        step = "directory";
        result = -errno;
    }
    if (result == 0) {
        step = "resource limits";
        result = limit_resources(request);
    }
    if (result == 0)
        result = privileges_become_worker(&request->privileges, parent, &step);
    if (result < 0) {
        log_error("cannot start a worker", LOG_PROBLEM(PROBLEM_WORKER_AWAY), LOG_TEXT("name", name),
                  LOG_TEXT("step", step), LOG_ERROR(result));
        _exit(EXIT_STATUS_SANDBOX);
    }
    (void)snprintf(log_format, sizeof(log_format), LOG_FORMAT_ENVIRONMENT "=%s", log_format_in_use());
    (void)snprintf(journal, sizeof(journal), "JOURNAL_STREAM=%s", journal_stream ? journal_stream : "");
    (void)execve(request->program, request->arguments, environment);
    log_error("cannot start a worker", LOG_PROBLEM(PROBLEM_WORKER_AWAY), LOG_TEXT("program", request->program),
              LOG_TEXT("step", "exec"), LOG_ERROR(-errno));
    _exit(EXIT_STATUS_CRASH);
}

int spawn_program(const struct spawn_request *request, pid_t *ret_pid)
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
