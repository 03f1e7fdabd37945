/* The control socket; see control_socket.h. Runs in the supervisor, as root; the path also in the commands. */
#include "daemon/control_socket.h"

#include "protocol/control_interface.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CONNECTIONS_WAITING_MAX 16

/* systemd lists several directories with colons; then the default holds. */
static const char *runtime_directory(void)
{
    const char *given = getenv("RUNTIME_DIRECTORY");

    return given && given[0] == '/' && !strchr(given, ':') ? given : CONTROL_DIRECTORY;
}

int control_socket_address(struct sockaddr_un *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", runtime_directory(), CONTROL_SOCKET_NAME);

    if (length < 0 || (size_t)length >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    *ret = address;
    return 0;
}

static int make_directory(void)
{
    const char *path = runtime_directory();
    struct stat status;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    if (lstat(path, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    /* Whoever may write there could put another socket in our place. */
    return status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) ? -EPERM : 0;
}

/* The mode is right from the first moment: the mask stands while the socket's file comes into being. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
    mode_t mask = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

    (void)umask(mask);
    return result;
}

int control_socket_listen(int *ret)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;
    int result;

    if (fd < 0)
        return -errno;
    result = control_socket_address(&address);
    if (result == 0)
        result = make_directory();
    if (result < 0)
        return result;
    if (unlink(address.sun_path) < 0 && errno != ENOENT)
        return -errno;
    result = bind_private(fd, &address);
    if (result < 0)
        return result;
    if (listen(fd, CONNECTIONS_WAITING_MAX) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}

void control_socket_remove(void)
{
    struct sockaddr_un address;

    if (control_socket_address(&address) == 0)
        (void)unlink(address.sun_path); /* a socket that stays only refuses connections */
}
