/* Where sockets and files are; see runtime_directory.h. Runs in the supervisor, as root; the path also in commands. */
#include "daemon/supervise/runtime_directory.h"

#include "common/cleanup.h"
#include "protocol/control_interface.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* systemd lists several directories with colons; then the default holds. */
const char *runtime_directory_path(void)
{
    const char *given = getenv("RUNTIME_DIRECTORY");

    return given && given[0] == '/' && !strchr(given, ':') ? given : CONTROL_DIRECTORY;
}

int runtime_directory_use_project(const char *project)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-"; /* of Compose's names */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

    if (project[0] == '\0' || project[strspn(project, letters)] != '\0' ||
        snprintf(path, sizeof(path), CONTROL_DIRECTORY "/%s", project) >= (int)sizeof(path))
        return -EINVAL;
    return setenv("RUNTIME_DIRECTORY", path, 1) < 0 ? -errno : 0;
}

int runtime_directory_make(void)
{
    const char *path = runtime_directory_path();
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

int runtime_directory_socket(const char *name, struct sockaddr_un *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", runtime_directory_path(), name);

    if (length < 0 || (size_t)length >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    *ret = address;
    return 0;
}

/* The mode is right from the first moment: the mask stands while the socket's file comes into being. */
static int bind_closed(int fd, const struct sockaddr_un *address)
{
    mode_t mask;
    int result;

    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return -errno;
    mask = umask(0177);
    result = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    (void)umask(mask);
    return result;
}

int runtime_directory_listen(const struct sockaddr_un *address, const struct runtime_directory_listener *listener,
                             int *ret)
{
    CLEANUP_FD int fd = socket(AF_UNIX, listener->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result;

    if (fd < 0)
        return -errno;
    result = bind_closed(fd, address);
    if (result < 0)
        return result;
    if ((listener->owner != 0 && lchown(address->sun_path, listener->owner, listener->owner) < 0) ||
        (listener->group != 0 &&
         (lchown(address->sun_path, 0, listener->group) < 0 || chmod(address->sun_path, 0660) < 0)) ||
        (listener->is_open_to_all && chmod(address->sun_path, 0666) < 0) || listen(fd, listener->waiting_max) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}
