/* rtnetlink sockets that somebody else opened; see handed_sockets.h. Runs in anchord-way and anchord-links. */
#include "workers/netlink/handed/handed_sockets.h"

#include <linux/netlink.h>
#include <sys/socket.h>

/* Refuses what is no netlink socket of the wanted protocol. */
static int take_socket(int descriptor, int wanted, struct mnl_socket **ret)
{
    CLEANUP_FD int owned = descriptor;
    int domain = 0, protocol = 0;
    socklen_t length = sizeof(domain);

    if (getsockopt(owned, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 ||
        getsockopt(owned, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) < 0)
        return -errno;
    if (domain != AF_NETLINK || protocol != wanted)
        return -EPROTOTYPE;
    *ret = mnl_socket_fdopen(owned);
    if (!*ret)
        return -errno;
    (void)TAKE_FD(owned);
    return 0;
}

int handed_sockets_requests(int descriptor, int protocol, struct rtnetlink **ret)
{
    struct mnl_socket *socket = NULL;
    int result = take_socket(descriptor, protocol, &socket);

    return socket ? rtnetlink_adopt(socket, ret) : result;
}

int handed_sockets_monitor(int descriptor, struct mnl_socket **ret)
{
    struct mnl_socket *socket = NULL;
    int result = take_socket(descriptor, NETLINK_ROUTE, &socket);

    return socket ? rtnetlink_monitor_adopt(socket, ret) : result;
}
