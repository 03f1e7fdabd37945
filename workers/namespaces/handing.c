/* The sockets of a namespace; see handing.h. Runs in anchord-namespaces. */
#include "workers/namespaces/handing.h"

#include "common/log.h"
#include "common/sandbox.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>

/* A netlink socket of `namespace`. Returns it or a negative errno. */
static int open_there(int home, int namespace, enum way_socket_kind kind)
{
    int opened;

    if (setns(namespace, CLONE_NEWNET) < 0)
        return -errno;
    opened = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (kind == WAY_SOCKET_MONITOR ? SOCK_NONBLOCK : 0),
                    kind == WAY_SOCKET_FILTER ? NETLINK_NETFILTER : NETLINK_ROUTE);
    if (opened < 0)
        opened = -errno;
    if (setns(home, CLONE_NEWNET) < 0) {
        log_error("cannot go back to the own network namespace", LOG_ERROR(-errno));
        _exit(EXIT_STATUS_CRASH);
    }
    return opened;
}

static int send_one(struct channel *way, int home, int namespace, uint32_t number, enum way_socket_kind kind)
{
    struct message_way_socket message = {
        .header = message_header_make(MESSAGE_WAY_SOCKET, sizeof(message), 0),
        .number = number,
        .kind = kind,
    };
    CLEANUP_FD int opened = open_there(home, namespace, kind);

    return opened < 0 ? opened : channel_send(way, &message.header, opened);
}

int handing_send_sockets(struct channel *way, int home, int namespace, uint32_t number)
{
    static const enum way_socket_kind kinds[] = {WAY_SOCKET_REQUESTS, WAY_SOCKET_FILTER, WAY_SOCKET_MONITOR};
    int result = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(kinds) && result == 0; i++)
        result = send_one(way, home, namespace, number, kinds[i]);
    return result;
}
