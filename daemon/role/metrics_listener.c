/* The listening socket of metrics and health; see metrics_listener.h. Runs in the supervisor, as root. */
#include "daemon/role/metrics_listener.h"

#include "common/cleanup.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Connections that wait for the exporter; a scrape takes a millisecond. */
#define BACKLOG 16

static int listen_on(const struct sockaddr *address, socklen_t length, int *ret)
{
    CLEANUP_FD int listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1, no = 0;

    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
        return -errno;
    /* `::` is for both families, whatever net.ipv6.bindv6only says. */
    if (address->sa_family == AF_INET6 && setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0)
        return -errno;
    if (bind(listener, address, length) < 0 || listen(listener, BACKLOG) < 0)
        return -errno;
    *ret = TAKE_FD(listener);
    return 0;
}

int metrics_listener_open(const struct configuration_listener *address, int *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    bool is_everywhere = address->address.family == IP_FAMILY_NONE;
    int result = -EAFNOSUPPORT;

    if (address->address.family == IP_FAMILY_6)
        memcpy(&v6.sin6_addr, address->address.bytes, sizeof(v6.sin6_addr));
    if (address->address.family == IP_FAMILY_4)
        memcpy(&v4.sin_addr, address->address.bytes, sizeof(v4.sin_addr));
    else
        result = listen_on((const struct sockaddr *)&v6, sizeof(v6), ret);
    /* No address means all of them; a kernel without IPv6 has those of IPv4. */
    if (address->address.family == IP_FAMILY_4 || (is_everywhere && result == -EAFNOSUPPORT))
        result = listen_on((const struct sockaddr *)&v4, sizeof(v4), ret);
    return result;
}
