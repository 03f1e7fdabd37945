/* Asks an attachment; see attached_status.h. Runs as root, on the host. */
#include "daemon/command/attached_status.h"

#include "common/text.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

void attached_status_clear(struct attached_status *status)
{
    control_client_clear(&status->status);
    status->bus = sd_bus_flush_close_unref(status->bus);
}

/* The container's own file system, by the process: the path is the same in each container. */
static int connect_to_control(int fd, uint32_t pid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/%u/root/run/anchord/control.sock",
                   (unsigned int)pid);
    return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

/* sd-bus answers nobody whose PID it cannot see, and processes of the host have none in a container: so a child in the
 * container's PID namespace connects the socket, which we go on with. */
static int connect_from_within(int fd, uint32_t pid)
{
    char path[32];
    CLEANUP_FD int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    CLEANUP_FD int other = -1;
    int status = 0;
    pid_t child;

    (void)snprintf(path, sizeof(path), "/proc/%u/ns/pid", (unsigned int)pid);
    other = open(path, O_RDONLY | O_CLOEXEC);
    if (own < 0 || other < 0 || setns(other, CLONE_NEWPID) < 0)
        return -errno;
    child = fork();
    if (child == 0)
        _exit(connect_to_control(fd, pid)); /* an errno fits */
    if (setns(own, CLONE_NEWPID) < 0 || child < 0)
        return -errno;
    if (waitpid(child, &status, 0) < 0)
        return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

int attached_status_read(uint32_t pid, struct attached_status *ret)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;

    attached_status_clear(ret);
    result = fd < 0 ? -errno : connect_from_within(fd, pid);
    if (result == 0)
        result = control_client_open_connected(TAKE_FD(fd), &ret->bus);
    if (result == 0)
        result = control_client_read(ret->bus, &ret->status);
    if (result < 0)
        attached_status_clear(ret);
    return result;
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
    char *variable = NULL;
    FILE *stream;

    ret[0] = '\0';
    (void)snprintf(path, sizeof(path), "/proc/%u/environ", (unsigned int)pid);
    stream = fopen(path, "re");
    while (stream && getdelim(&variable, &capacity, '\0', stream) > 0) {
        if (strncmp(variable, name, length) == 0 && variable[length] == '=')
            text_copy_cut(ret, size, variable + length + 1);
    }
    free(variable);
    if (stream)
        (void)fclose(stream);
}
