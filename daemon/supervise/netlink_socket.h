/*
 * Netlink sockets whose opener had CAP_NET_ADMIN: the kernel asks for it of whoever opened a socket and of whoever
 * sends by it, so those that are handed on are opened here.
 *
 * Called by way_worker.c and attach.c, in the supervisor, as root.
 */
#pragma once

/* `protocol`: NETLINK_…; `flags`: SOCK_NONBLOCK or 0. Close-on-exec and not bound. Returns 0 or a negative errno. */
int netlink_socket_open(int protocol, int flags, int *ret) __attribute__((warn_unused_result));
