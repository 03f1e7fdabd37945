/*
 * Where the control socket is, and the supervisor's end of it: made by root, in a directory that only root may enter.
 *
 * Called by the supervisor as root, before it starts the worker `control`, which accepts on it; the path also by the
 * commands that connect to it.
 */
#pragma once

#include "common/cleanup.h"

#include <sys/un.h>

/* Fills *ret with $RUNTIME_DIRECTORY/control.sock, or the one in /run/anchord. Returns 0 or -ENAMETOOLONG. */
int control_socket_address(struct sockaddr_un *ret) __attribute__((warn_unused_result));

/*
 * Makes the directory (0700) and the listening socket (0600); a socket that a crashed predecessor left is replaced.
 * Returns 0, or a negative errno with *ret untouched: -EROFS, -EACCES … when the directory cannot be written,
 * -ENOTDIR when it is none, -EPERM when others than our user may write to it.
 */
int control_socket_listen(int *ret) __attribute__((warn_unused_result));

/* At the ordered end: nobody is to find a socket that nobody answers. */
void control_socket_remove(void);
