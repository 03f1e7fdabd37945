/*
 * The directory of a running anchord's sockets and files: $RUNTIME_DIRECTORY (systemd.exec(5)) or /run/anchord.
 *
 * Used by the supervisor, as root, and by the operator's commands for the path alone.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

const char *runtime_directory_path(void);

/* For commands: that of the units of an attached project (packaging/systemd). Returns 0, or -EINVAL: it is no name. */
int runtime_directory_use_project(const char *project) __attribute__((warn_unused_result));

/* Makes it if need be; nobody but root may write there. Returns 0 or a negative errno. */
int runtime_directory_make(void) __attribute__((warn_unused_result));

/* The address of the socket `name` in it. Returns 0 or -ENAMETOOLONG. */
int runtime_directory_socket(const char *name, struct sockaddr_un *ret) __attribute__((warn_unused_result));

struct runtime_directory_listener {
    int type; /* SOCK_STREAM or SOCK_SEQPACKET */
    int waiting_max;
    uid_t owner;         /* and group; alone may connect, besides root */
    gid_t group;         /* may connect as well; 0: none */
    bool is_open_to_all; /* who connects is checked by its credentials */
};

/* Listens there in the place of a predecessor's. Returns 0 or a negative errno. */
int runtime_directory_listen(const struct sockaddr_un *address, const struct runtime_directory_listener *listener,
                             int *ret) __attribute__((warn_unused_result));
