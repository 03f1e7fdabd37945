/* Runs beside us, with a time limit; see child.h. */
#include "workers/commands/doctor/child.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define READ_SIZE 65536

_Noreturn static void become(int (*function)(void *userdata, int output), void *userdata, int output, pid_t parent)
{
    /* A group of its own: with it goes whatever it starts. Ctrl-C reaches the parent, whose death is ours. */
    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) < 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    _exit(function(userdata, output));
}

int child_start(struct child *child, int (*function)(void *userdata, int output), void *userdata, unsigned int seconds,
                size_t limit)
{
    CLEANUP_FD int reader = -1;
    CLEANUP_FD int writer = -1;
    pid_t parent = getpid();
    int ends[2];

    *child = (struct child){.output = -1, .limit = limit};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    reader = ends[0];
    writer = ends[1];
    (void)fflush(stdout);
    child->deadline = clock_monotonic_microseconds() + seconds * MICROSECONDS_PER_SECOND;
    child->pid = fork();
    if (child->pid < 0)
        return -errno;
    if (child->pid == 0)
        become(function, userdata, writer, parent);
    child->output = TAKE_FD(reader);
    return 0;
}

/* What is over is reaped at once: a killed one cannot be late. */
static void end(struct child *child, int error)
{
    int status = 0;

    close_fd(&child->output);
    child->error = error;
    if (error < 0) {
        (void)kill(-child->pid, SIGKILL);
        (void)kill(child->pid, SIGKILL); /* before it had a group */
    }
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (error == 0 && !WIFEXITED(status))
        child->error = -ECHILD;
    else if (error == 0)
        child->status = WEXITSTATUS(status);
}

static void read_some(struct child *child)
{
    ssize_t length;

    if (child->capacity - child->length < READ_SIZE) {
        size_t capacity = child->capacity * 2 + READ_SIZE;
        char *bytes = realloc(child->bytes, capacity);

        if (!bytes) {
            end(child, -ENOMEM);
            return;
        }
        child->bytes = bytes;
        child->capacity = capacity;
    }
    length = read(child->output, child->bytes + child->length, READ_SIZE);
    if (length < 0 && errno != EINTR)
        end(child, -errno);
    else if (length == 0)
        end(child, 0);
    else if (length > 0)
        child->length += (size_t)length;
    if (child->output >= 0 && child->length > child->limit)
        end(child, -EFBIG);
}

/* The poll's timeout until the next one is late. */
static int next_timeout(const struct child *children, size_t count, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        if (children[i].output >= 0 && children[i].deadline < next)
            next = children[i].deadline;
    }
    return next <= now ? 0 : (int)((next - now) / MICROSECONDS_PER_MILLISECOND) + 1;
}

static size_t collect(const struct child *children, size_t count, struct pollfd *files)
{
    size_t open = 0;

    for (size_t i = 0; i < count; i++) {
        files[i] = (struct pollfd){.fd = children[i].output, .events = POLLIN};
        open += children[i].output >= 0;
    }
    return open;
}

void children_finish(struct child *children, size_t count)
{
    CLEANUP_FREE struct pollfd *files = calloc(count + 1, sizeof(*files));

    while (files && collect(children, count, files) > 0) {
        int ready = poll(files, count, next_timeout(children, count, clock_monotonic_microseconds()));

        for (size_t i = 0; i < count; i++) {
            if (ready > 0 && files[i].fd >= 0 && files[i].revents)
                read_some(&children[i]);
            if (children[i].output >= 0 && children[i].deadline <= clock_monotonic_microseconds())
                end(&children[i], -ETIMEDOUT);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (children[i].output >= 0) /* without memory */
            end(&children[i], -ENOMEM);
    }
}

void child_release(struct child *child)
{
    free(child->bytes);
    child->bytes = NULL;
    close_fd(&child->output);
}
