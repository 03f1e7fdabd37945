/* The worker `way`; see way_worker.h. Runs in the supervisor, as root. */
#include "daemon/role/way_worker.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/supervise/netlink_socket.h"
#include "daemon/supervise/privileges.h"
#include "daemon/supervise/users.h"

#include <linux/capability.h>
#include <linux/netlink.h>
#include <sys/socket.h>

/* The one namespace that a service-anchor serves. */
#define OWN_NAMESPACE 0

struct worker_definition way_worker_definition(void)
{
    return (struct worker_definition){
        .name = "way",
        .program = "anchord-way",
        .user = WAY_USER,
        .writer = METRICS_WRITER_WAY,
        .capabilities = CAPABILITY_BIT(CAP_NET_ADMIN),
        .receives = DIRECTION_WAY_TO_SUPERVISOR,
    };
}

static int send_socket(struct worker *worker, enum way_socket_kind kind)
{
    struct message_way_socket message = {
        .header = message_header_make(MESSAGE_WAY_SOCKET, sizeof(message), 0),
        .number = OWN_NAMESPACE,
        .kind = kind,
    };
    CLEANUP_FD int descriptor = -1;
    int result = netlink_socket_open(NETLINK_ROUTE, kind == WAY_SOCKET_MONITOR ? SOCK_NONBLOCK : 0, &descriptor);

    if (result == 0)
        worker_send(worker, &message.header, descriptor);
    return result;
}

void way_worker_tell(struct worker *worker, const struct ip_address *gateway4, const struct ip_address *gateway6,
                     uint32_t log_level)
{
    struct message_configure_way message = {
        .header = message_header_make(MESSAGE_CONFIGURE_WAY, sizeof(message), 0),
        .gateway4 = wire_address_from(gateway4),
        .gateway6 = wire_address_from(gateway6),
        .log_level = log_level,
    };
    int result;

    worker_send(worker, &message.header, -1);
    result = send_socket(worker, WAY_SOCKET_REQUESTS);
    if (result == 0)
        result = send_socket(worker, WAY_SOCKET_MONITOR);
    if (result < 0) {
        log_error("cannot open the sockets of the namespace, starting their worker again", LOG_ERROR(result));
        worker_kill(worker);
    }
}

void way_worker_tell_attached(struct worker *worker, const struct wire_address *next_hop,
                              const struct mac_address *inner_mac, uint32_t log_level)
{
    const struct ip_address next_hop6 = ip_address_link_local_of(inner_mac);
    const struct message_configure_way message = {
        .header = message_header_make(MESSAGE_CONFIGURE_WAY, sizeof(message), 0),
        .gateway4 = *next_hop,
        .gateway6 = wire_address_from(&next_hop6),
        .log_level = log_level,
        .is_attached = true,
        .inner_mac = *inner_mac,
    };

    worker_send(worker, &message.header, -1);
}
