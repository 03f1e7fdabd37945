/* Runs a program to its end; see child_process.h. Runs as whoever typed the command. */
#include "daemon/command/child_process.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/sandbox.h"
#include "daemon/command/interruption.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define TURN_MILLISECONDS 20
/* Between SIGTERM and SIGKILL. */
#define END_SECONDS 20

struct running {
    const struct child_process *process;
    struct child_output *output;
    pid_t pid;
    int out;    /* the end that we read */
    int reason; /* -ETIME or -EINTR after it was told to end; else 0 */
    uint64_t deadline;
};

void child_output_release(struct child_output *output)
{
    free(output->bytes);
    *output = (struct child_output){0};
}

/* A reader that is not there yet: what a pipe holds, it keeps. */
static int make_input(const char *text, int *ret)
{
    CLEANUP_FD int reader = -1;
    CLEANUP_FD int writer = -1;
    size_t length = text ? strlen(text) : 0;
    int ends[2];

    if (!text) {
        *ret = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return *ret < 0 ? -errno : 0;
    }
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    reader = ends[0];
    writer = ends[1];
    if (write(writer, text, length) != (ssize_t)length)
        return -EIO;
    *ret = TAKE_FD(reader);
    return 0;
}

_Noreturn static void become(const struct child_process *process, int input, int output)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    if (chdir("/") == 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        (!process->keeps_errors || dup2(output, STDERR_FILENO) >= 0))
        (void)execve(process->program, (char *const *)(uintptr_t)process->arguments, process->environment);
    _exit(EXIT_STATUS_CRASH);
}

#define PIECE_SIZE 4096

/* Room for a piece and a NUL behind what there is; NULL: there is too much of it, or no memory. */
static char *make_room(struct child_output *output)
{
    size_t wanted = output->length + PIECE_SIZE + 1;
    char *grown;

    if (wanted <= output->capacity)
        return output->bytes + output->length;
    grown = wanted <= CHILD_OUTPUT_MAX ? realloc(output->bytes, wanted * 2) : NULL;
    if (!grown)
        return NULL;
    output->bytes = grown;
    output->capacity = wanted * 2;
    return grown + output->length;
}

/* Returns how much was read, 0 at the end. */
static ssize_t read_some(struct running *running)
{
    char discarded[PIECE_SIZE];
    char *room = make_room(running->output);
    ssize_t length = read(running->out, room ? room : discarded, PIECE_SIZE);

    if (room) {
        running->output->length += length > 0 ? (size_t)length : 0;
        running->output->bytes[running->output->length] = '\0';
    }
    return length;
}

static void tell_to_end(struct running *running, int reason, int signal_number)
{
    running->reason = reason;
    running->deadline = clock_monotonic_microseconds() + END_SECONDS * MICROSECONDS_PER_SECOND;
    (void)kill(-running->pid, signal_number);
}

static void watch_clock(struct running *running)
{
    bool is_late = clock_monotonic_microseconds() >= running->deadline;

    if (running->reason == 0 && !running->process->is_undo && interruption_wait(0))
        tell_to_end(running, -EINTR, SIGTERM);
    else if (running->reason == 0 && is_late)
        tell_to_end(running, -ETIME, SIGTERM);
    else if (is_late)
        tell_to_end(running, running->reason, SIGKILL);
}

/* To the end of the program, whoever else holds its output. */
static int follow(struct running *running)
{
    bool is_open = true;
    int status = 0;
    pid_t ended = 0;

    while (ended == 0) {
        struct pollfd output = {.fd = is_open ? running->out : -1, .events = POLLIN};

        if (poll(&output, 1, TURN_MILLISECONDS) > 0)
            is_open = read_some(running) > 0;
        watch_clock(running);
        ended = waitpid(running->pid, &status, WNOHANG);
    }
    if (ended < 0)
        return -errno;
    (void)fcntl(running->out, F_SETFL, O_NONBLOCK);
    while (is_open && read_some(running) > 0)
        continue;
    if (running->reason < 0)
        return running->reason;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_process_run(const struct child_process *process, struct child_output *output)
{
    struct running running = {.process = process, .output = output};
    CLEANUP_FD int input = -1;
    CLEANUP_FD int reader = -1;
    CLEANUP_FD int writer = -1;
    int ends[2];
    int result = make_input(process->input, &input);

    if (result < 0)
        return result;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    reader = ends[0];
    writer = ends[1];
    running.out = reader;
    running.deadline = clock_monotonic_microseconds() + process->seconds * MICROSECONDS_PER_SECOND;
    running.pid = fork();
    if (running.pid < 0)
        return -errno;
    if (running.pid == 0)
        become(process, input, writer);
    (void)setpgid(running.pid, running.pid); /* whoever of the two is first; afterwards it fails */
    close_fd(&writer);
    return follow(&running);
}
