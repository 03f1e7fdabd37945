/* Netlink sockets that are handed on; see netlink_socket.h. Runs in the supervisor, as root. */
#include "daemon/supervise/netlink_socket.h"

#include "common/cleanup.h"
#include "daemon/supervise/privileges.h"

#include <sys/socket.h>

int netlink_socket_open(int protocol, int flags, int *ret)
{
    CLEANUP_FD int fd = -1;
    int result = privileges_use_net_admin(true);
    int off;

    if (result < 0)
        return result;
    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);
    result = fd < 0 ? -errno : 0;
    off = privileges_use_net_admin(false);
    if (result == 0)
        result = off;
    if (result == 0)
        *ret = TAKE_FD(fd);
    return result;
}
