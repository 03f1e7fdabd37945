/* The raw sockets; see raw_sockets.h. Runs in the supervisor, as root, before it is limited. */
#include "daemon/role/raw_sockets.h"

#include "daemon/dhcp/dhcp_twin.h"

#include <netinet/in.h>
#include <sys/socket.h>

int raw_sockets_open(const char *dhcp_name, struct raw_sockets *ret)
{
    int result = 0;

    *ret = (struct raw_sockets){-1, -1, -1};
    ret->arp = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (ret->arp < 0)
        return -errno;
    ret->icmp6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
    if (ret->icmp6 < 0 && errno != EAFNOSUPPORT)
        result = -errno;
    if (result == 0 && dhcp_name)
        result = dhcp_twin_open(dhcp_name, &ret->dhcp);
    if (result < 0)
        raw_sockets_close(ret);
    return result;
}

void raw_sockets_close(struct raw_sockets *sockets)
{
    close_fd(&sockets->arp);
    close_fd(&sockets->icmp6);
    close_fd(&sockets->dhcp);
}
