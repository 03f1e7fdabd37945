/* Which group opens Docker's socket; see docker_socket.h. Runs in the supervisor, as root; looks only. */
#include "daemon/supervise/docker_socket.h"

#include "daemon/configuration/configuration_parse.h"

#include <errno.h>
#include <string.h>

/* connect(2) to a unix socket needs the write permission (unix(7)). */
#define GROUP_MAY_CONNECT S_IWGRP
#define ALL_MAY_CONNECT   S_IWOTH
/* What a group shows as that the user namespace does not map (/proc/sys/kernel/overflowgid). */
#define UNMAPPED_GROUP 65534

struct docker_socket docker_socket_judge(const struct stat *status)
{
    struct docker_socket socket = {
        .verdict = DOCKER_SOCKET_REFUSED,
        .group = status->st_gid,
        .mode = status->st_mode & ALLPERMS,
        .owner = status->st_uid,
    };

    if (!S_ISSOCK(status->st_mode)) {
        socket.remedy = "it is no socket; Docker makes a directory there when the path of a bind mount does not "
                        "exist on the host: remove it, mount the real socket";
    } else if (status->st_mode & ALL_MAY_CONNECT) {
        socket.verdict = DOCKER_SOCKET_OPEN_TO_ALL;
    } else if (!(status->st_mode & GROUP_MAY_CONNECT)) {
        socket.remedy = "its mode lets only the owner connect and the gate never runs as root: "
                        "`chmod g+rw` it on the host, or use a socket proxy and DOCKER_HOST=tcp://name:port";
    } else if (status->st_gid == UNMAPPED_GROUP) {
        socket.remedy = "its group is nobody: it has no number in this user namespace (userns-remap, rootless "
                        "Docker); use a socket proxy and DOCKER_HOST=tcp://name:port";
    } else {
        socket.verdict = DOCKER_SOCKET_BY_GROUP;
        socket.group_is_root = status->st_gid == 0;
    }
    return socket;
}

struct docker_socket docker_socket_examine(const char *docker_host)
{
    struct docker_socket socket = {.verdict = DOCKER_SOCKET_REMOTE};
    struct stat status;
    const char *path;

    if (strncmp(docker_host, DOCKER_HOST_UNIX, strlen(DOCKER_HOST_UNIX)) != 0)
        return socket;
    path = docker_host + strlen(DOCKER_HOST_UNIX);
    if (stat(path, &status) == 0) {
        socket = docker_socket_judge(&status);
    } else if (errno == ENOENT || errno == ENOTDIR) {
        socket.verdict = DOCKER_SOCKET_ABSENT;
    } else {
        socket.verdict = DOCKER_SOCKET_REFUSED;
        socket.remedy = "the supervisor cannot even look at it: a directory above it is closed to it";
    }
    socket.path = path;
    return socket;
}
