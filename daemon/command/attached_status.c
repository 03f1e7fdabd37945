/* Asks an attachment; see attached_status.h. Runs as root, on the host. */
#include "daemon/command/attached_status.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "protocol/control_interface.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define CONNECT_SECONDS 2
#define ANSWER_TIMEOUT  (5 * MICROSECONDS_PER_SECOND)

void attached_status_clear(struct attached_status *status)
{
    control_client_clear(&status->status);
    status->bus = sd_bus_close_unref(status->bus); /* a flush would wait for who does not listen */
}

/* --- the connection ------------------------------------------------------------------------------------------- */

static int connect_to_control(int fd)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = CONTROL_DIRECTORY "/" CONTROL_SOCKET_NAME};

    (void)alarm(CONNECT_SECONDS + 1); /* the container may have its own file system there, which does not answer */
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    return errno == EAGAIN ? ETIMEDOUT : errno;
}

/* All that somebody in the container could make use of who takes the process over; its user stays the host's. */
static int join_container(uint32_t pid)
{
    static const struct {
        const char *path;
        int kind;
    } spaces[] = {
        {"ns/ipc", CLONE_NEWIPC}, {"ns/net", CLONE_NEWNET}, {"ns/pid", CLONE_NEWPID}, {"ns/mnt", CLONE_NEWNS}};
    int namespaces[ARRAY_LENGTH(spaces)];
    char path[32];
    int process;

    (void)snprintf(path, sizeof(path), "/proc/%u", (unsigned int)pid);
    process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LENGTH(spaces); i++) {
        namespaces[i] = openat(process, spaces[i].path, O_RDONLY | O_CLOEXEC);
        if (namespaces[i] < 0)
            return -errno;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(spaces); i++) {
        if (setns(namespaces[i], spaces[i].kind) < 0)
            return -errno;
        (void)close(namespaces[i]);
    }
    (void)close(process);
    return 0;
}

/* The container sees its child alone, which has nothing of ours any more but the socket; our terminal stays behind,
 * too. Ends with an errno, which fits. */
_Noreturn static void become_intermediate(int fd, int life, uint32_t pid, pid_t parent)
{
    enum { SOCKET, LIFE, OTHERS };
    const char *step;
    int status = 0, result;
    pid_t child;

    (void)setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) < 0 ||
        getppid() != parent) /* no group's end reaches us any more */
        _exit(ECHILD);
    if (dup2(fd, SOCKET) < 0 || dup2(life, LIFE) < 0)
        _exit(errno);
    closefrom(OTHERS);
    result = join_container(pid);
    if (result == 0)
        result = sandbox_drop_privileges(&step);
    if (result < 0)
        _exit(-result);
    child = fork();
    if (child == 0) {
        (void)close(LIFE);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) < 0)
            _exit(errno);
        _exit(connect_to_control(SOCKET));
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        _exit(errno);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT);
}

/* sd-bus answers nobody whose PID it cannot see, and processes of the host have none in a container: so a process in
 * the container's PID namespace connects the socket, which we go on with. The container can stop, even trace that one,
 * so another one stands between, which it cannot see. */
static int connect_from_within(int fd, uint32_t pid)
{
    const struct timeval limit = {.tv_sec = CONNECT_SECONDS};
    CLEANUP_FD int reader = -1;
    CLEANUP_FD int writer = -1; /* is closed by its end */
    struct pollfd life = {0};
    int ends[2];
    int status = 0;
    pid_t parent = getpid();
    pid_t child;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    reader = ends[0];
    writer = ends[1];
    life.fd = reader;
    child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        become_intermediate(fd, writer, pid, parent);
    close_fd(&writer);
    if (poll(&life, 1, (CONNECT_SECONDS + 1) * 1000) <= 0)
        (void)kill(-child, SIGKILL); /* the session of both */
    if (waitpid(child, &status, 0) < 0)
        return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -ETIMEDOUT;
}

/* --- the answer ----------------------------------------------------------------------------------------------- */

/* Until both ends have agreed, which sd-bus by itself lets take a minute and a half. */
static int await_ready(sd_bus *bus)
{
    uint64_t deadline = clock_monotonic_microseconds() + ANSWER_TIMEOUT;
    int result = sd_bus_is_ready(bus);

    while (result == 0) {
        uint64_t now = clock_monotonic_microseconds();

        if (now >= deadline)
            return -ETIMEDOUT;
        result = sd_bus_process(bus, NULL);
        if (result == 0)
            result = sd_bus_wait(bus, deadline - now);
        if (result >= 0)
            result = sd_bus_is_ready(bus);
    }
    return result < 0 ? result : 0;
}

int attached_status_connect(uint32_t pid, int *ret_fd)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -errno : connect_from_within(fd, pid);

    if (result == 0)
        *ret_fd = TAKE_FD(fd);
    return result;
}

int attached_status_take(int fd, struct attached_status *ret)
{
    int result;

    attached_status_clear(ret);
    result = control_client_open_connected(fd, &ret->bus);
    if (result == 0)
        result = await_ready(ret->bus);
    if (result == 0)
        result = control_client_read(ret->bus, &ret->status);
    if (result < 0)
        attached_status_clear(ret);
    return result;
}

int attached_status_read(uint32_t pid, struct attached_status *ret)
{
    int fd = -1;
    int result;

    attached_status_clear(ret);
    result = attached_status_connect(pid, &fd);
    return result < 0 ? result : attached_status_take(fd, ret);
}

bool attached_status_has_unmet(const struct attached_status *status, const char *condition)
{
    for (size_t i = 0; i < status->status.lists[STATUS_UNMET_CONDITIONS].row_count; i++) {
        if (strcmp(control_client_cell(&status->status, STATUS_UNMET_CONDITIONS, i, 0)->text, condition) == 0)
            return true;
    }
    return false;
}

static bool is_reached(const char *text)
{
    struct ip_address address;

    return ip_address_parse(text, &address) == 0 && !ip_address_is_link_local(&address);
}

size_t attached_status_addresses(const struct attached_status *status, char *ret, size_t size)
{
    size_t length = 0, count = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < status->status.lists[STATUS_EXTERNAL_ADDRESSES].row_count; i++) {
        const char *text = control_client_cell(&status->status, STATUS_EXTERNAL_ADDRESSES, i, 0)->text;

        if (is_reached(text) && length < size)
            length += (size_t)snprintf(ret + length, size - length, "%s%s", count++ > 0 ? ", " : "", text);
    }
    return count;
}

bool attached_status_has_address(const struct attached_status *status, const char *address)
{
    for (size_t i = 0; i < status->status.lists[STATUS_EXTERNAL_ADDRESSES].row_count; i++) {
        if (strcmp(control_client_cell(&status->status, STATUS_EXTERNAL_ADDRESSES, i, 0)->text, address) == 0)
            return true;
    }
    return false;
}

/* proc(5): NAME=value and a NUL each. */
void attached_status_variable(uint32_t pid, const char *name, char *ret, size_t size)
{
    size_t length = strlen(name), capacity = 0;
    char path[32];
    CLEANUP_FREE char *variable = NULL;
    CLEANUP_STREAM FILE *stream = NULL;

    ret[0] = '\0';
    (void)snprintf(path, sizeof(path), "/proc/%u/environ", (unsigned int)pid);
    stream = fopen(path, "re");
    while (stream && getdelim(&variable, &capacity, '\0', stream) > 0) {
        if (strncmp(variable, name, length) == 0 && variable[length] == '=')
            text_copy_cut(ret, size, variable + length + 1);
    }
}
