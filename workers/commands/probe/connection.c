/* What a prober sends and what it hears; see prober.h. Runs in anchord-probe without any privilege. */
#include "workers/commands/probe/answer.h"
#include "workers/commands/probe/prober.h"

#include "common/cleanup.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* linux/in.h, linux/in6.h, which do not go together with netinet/in.h: send with DF, also more than the path is known
 * to take. */
#define PATH_MTU_PROBE 3

#define HEADERS_4      (20 + 8)
#define HEADERS_6      (40 + 8)
#define DATAGRAM_MAX   9216
#define SHORT_DATAGRAM 1

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t make_address(const struct wire_address *address, uint16_t port, union socket_address *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (address->family == IP_FAMILY_4) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons(port);
        memcpy(&ret->v4.sin_addr, address->bytes, sizeof(ret->v4.sin_addr));
        return sizeof(ret->v4);
    }
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons(port);
    memcpy(&ret->v6.sin6_addr, address->bytes, sizeof(ret->v6.sin6_addr));
    return sizeof(ret->v6);
}

static void take_address(const union socket_address *from, struct probe_result *result)
{
    bool is_v6 = from->any.sa_family == AF_INET6;
    struct ip_address address = is_v6 ? ip_address_from_bytes(IP_FAMILY_6, &from->v6.sin6_addr)
                                      : ip_address_from_bytes(IP_FAMILY_4, &from->v4.sin_addr);

    result->address = wire_address_from(&address);
    result->port = ntohs(is_v6 ? from->v6.sin6_port : from->v4.sin_port);
}

static bool fail(struct probe *probe, int error)
{
    probe->result.outcome = PROBE_FAILED;
    probe->result.error = error;
    return true;
}

/* What connect(2) says of a TCP socket, at once or later. */
static bool judge_tcp(struct probe *probe, int error, bool is_at_once)
{
    if (error == 0) {
        union socket_address own = {0};
        socklen_t length = sizeof(own);

        probe->result.outcome = PROBE_ANSWERED;
        if (getsockname(probe->fd, &own.any, &length) == 0)
            take_address(&own, &probe->result);
        return true;
    }
    if (error == EINPROGRESS)
        return false;
    probe->result.error = -error;
    if (error == ECONNREFUSED)
        probe->result.outcome = PROBE_REFUSED;
    else if (error == ETIMEDOUT)
        probe->result.outcome = PROBE_SILENT;
    else
        probe->result.outcome = is_at_once ? PROBE_FAILED : PROBE_UNREACHABLE;
    return true;
}

static int set_options(const struct probe *probe)
{
    bool is_v6 = probe->request.target.family == IP_FAMILY_6;
    int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    int probing = PATH_MTU_PROBE;
    int hops = probe->request.hop_limit;
    int on = 1;

    if (setsockopt(probe->fd, level, is_v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof(on)) < 0)
        return -errno;
    if (hops > 0 && setsockopt(probe->fd, level, is_v6 ? IPV6_UNICAST_HOPS : IP_TTL, &hops, sizeof(hops)) < 0)
        return -errno;
    if (probe->request.size > 0 &&
        setsockopt(probe->fd, level, is_v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &probing, sizeof(probing)) < 0)
        return -errno;
    return 0;
}

static int open_socket(struct probe *probe, int type)
{
    union socket_address source;
    socklen_t length;
    int result;

    probe->fd = socket(ip_family_to_kernel(probe->request.target.family), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe->fd < 0)
        return -errno;
    result = set_options(probe);
    if (result < 0 || probe->request.source.family == IP_FAMILY_NONE || probe->request.kind == PROBE_DNS)
        return result;
    length = make_address(&probe->request.source, 0, &source);
    return bind(probe->fd, &source.any, length) < 0 ? -errno : 0;
}

/* One ICMP error of the socket's queue. */
static bool read_error(struct probe *probe)
{
    uint8_t payload[1]; /* of what we sent: nobody reads it */
    _Alignas(struct cmsghdr) uint8_t ancillary[512];
    struct iovec vector = {payload, sizeof(payload)};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = ancillary, .msg_controllen = sizeof(ancillary)};

    if (recvmsg(probe->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return false;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        bool is_error = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
                        (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR);

        if (is_error && answer_read_error(CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0), &probe->result))
            return true;
    }
    return false;
}

static bool send_datagram(struct probe *probe)
{
    static const uint8_t nothing[DATAGRAM_MAX];
    const struct ip_address asked = wire_address_to(&probe->request.source);
    uint8_t question[DNS_QUERY_SIZE];
    size_t headers = probe->request.target.family == IP_FAMILY_6 ? HEADERS_6 : HEADERS_4;
    size_t length = SHORT_DATAGRAM;
    ssize_t sent;
    int result;

    if (probe->request.size > headers)
        length = probe->request.size - headers < DATAGRAM_MAX ? probe->request.size - headers : DATAGRAM_MAX;
    if (probe->request.kind == PROBE_DNS)
        sent = send(probe->fd, question, answer_make_question((uint16_t)probe->request.number, &asked, question), 0);
    else
        sent = send(probe->fd, nothing, length, 0);
    if (sent >= 0)
        return false;
    result = -errno;
    return read_error(probe) || fail(probe, result);
}

static bool begin_connection(struct probe *probe, int type)
{
    union socket_address target;
    socklen_t length = make_address(&probe->request.target, probe->request.port, &target);
    int result = open_socket(probe, type);

    if (result < 0)
        return fail(probe, result);
    result = connect(probe->fd, &target.any, length) < 0 ? errno : 0;
    if (type == SOCK_STREAM)
        return judge_tcp(probe, result, true);
    return result > 0 ? fail(probe, -result) : send_datagram(probe);
}

static bool begin_listening(struct probe *probe)
{
    union socket_address own;
    socklen_t length = make_address(&probe->request.target, probe->request.port, &own);

    probe->fd =
        socket(ip_family_to_kernel(probe->request.target.family), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe->fd < 0 || bind(probe->fd, &own.any, length) < 0 || listen(probe->fd, 16) < 0)
        return fail(probe, -errno);
    return false;
}

bool connection_begin(struct probe *probe)
{
    if (probe->request.kind == PROBE_ACCEPT)
        return begin_listening(probe);
    return begin_connection(probe, probe->request.kind == PROBE_TCP ? SOCK_STREAM : SOCK_DGRAM);
}

short connection_events(const struct probe *probe)
{
    return probe->request.kind == PROBE_TCP ? POLLOUT : POLLIN;
}

static bool read_datagram(struct probe *probe)
{
    uint8_t bytes[512];
    ssize_t length = recv(probe->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (length < 0)
        return read_error(probe); /* what recv(2) says is of the same error */
    if (probe->request.kind == PROBE_DNS &&
        !answer_is_of_resolver(bytes, (size_t)length, (uint16_t)probe->request.number))
        return false;
    probe->result.outcome = PROBE_ANSWERED;
    return true;
}

static bool accept_connection(struct probe *probe)
{
    union socket_address peer = {0};
    socklen_t length = sizeof(peer);

    probe->accepted = accept4(probe->fd, &peer.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (probe->accepted < 0)
        return false;
    probe->result.outcome = PROBE_ANSWERED;
    take_address(&peer, &probe->result);
    return true;
}

bool connection_go_on(struct probe *probe)
{
    int error = 0;
    socklen_t length = sizeof(error);

    if (probe->request.kind == PROBE_ACCEPT)
        return accept_connection(probe);
    if (probe->request.kind != PROBE_TCP)
        return read_error(probe) || read_datagram(probe);
    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return fail(probe, -errno);
    return judge_tcp(probe, error, false);
}
