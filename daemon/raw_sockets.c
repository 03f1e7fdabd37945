/* The announcer's raw sockets; see raw_sockets.h. Runs in the supervisor, as root, before it is limited. */
#include "daemon/raw_sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>

int raw_sockets_open(struct raw_sockets *ret)
{
    *ret = (struct raw_sockets){-1, -1};
    ret->arp = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (ret->arp < 0)
        return -errno;
    ret->icmp6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
    if (ret->icmp6 < 0 && errno != EAFNOSUPPORT) {
        int result = -errno;

        raw_sockets_close(ret);
        return result;
    }
    return 0;
}

void raw_sockets_close(struct raw_sockets *sockets)
{
    close_fd(&sockets->arp);
    close_fd(&sockets->icmp6);
}
