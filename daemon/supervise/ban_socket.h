/*
 * Where the ban socket is: for the supervisor, which makes it, and `anchord ban`, which connects to it.
 */
#pragma once

#include <sys/un.h>

/* Of this absolute path, or NULL: the one beside the control socket. Returns 0 or -ENAMETOOLONG. */
int ban_socket_address(const char *path, struct sockaddr_un *ret) __attribute__((warn_unused_result));
