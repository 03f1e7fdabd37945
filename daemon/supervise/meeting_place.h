/*
 * Where the two halves of attach meet (HOST-11): the host half listens, the identity half connects. Each project has a
 * directory of its own there, which in a container both halves have mounted from the host, and no other's.
 *
 * Used by the supervisors of both roles, as root, and by the command `anchord list`.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define MEETING_DIRECTORY "/run/anchord-attach" /* 0700, of root; so is each project's in it */
#define MEETING_SOCKET    "/sock"

/* Returns 0 or -ENAMETOOLONG, which no name that the configuration takes has. */
static inline int meeting_place_of(const char *project, struct sockaddr_un *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), MEETING_DIRECTORY "/%s" MEETING_SOCKET, project);

    if (length < 0 || (size_t)length >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    *ret = address;
    return 0;
}
