/* What the kernel of a namespace knows of its sockets and routes; see prober.h. Runs in anchord-probe without any
 * privilege: the kernel tells both to everybody (sock_diag(7), rtnetlink(7)). */
#include "workers/commands/probe/prober.h"

#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

struct look {
    const struct prober *prober; /* of all that watch */
    struct probe *probe;         /* or of one */
    bool is_found;
    bool is_on_loopback;
    bool is_elsewhere;
    struct ip_address elsewhere;
};

static bool is_mapped(const uint8_t bytes[16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291 §2.5.5.2 */

    return memcmp(bytes, prefix, sizeof(prefix)) == 0;
}

/* An address of a socket as one of its own family: v4 in v6 is v4. */
static struct ip_address address_of(uint8_t family, const uint32_t words[4])
{
    uint8_t bytes[16];

    memcpy(bytes, words, sizeof(bytes));
    if (family == AF_INET)
        return ip_address_from_bytes(IP_FAMILY_4, bytes);
    return is_mapped(bytes) ? ip_address_from_bytes(IP_FAMILY_4, bytes + 12)
                            : ip_address_from_bytes(IP_FAMILY_6, bytes);
}

static int dump_sockets(struct prober *prober, int family, uint8_t protocol, uint32_t states, rtnetlink_handler handler,
                        struct look *look)
{
    struct inet_diag_req_v2 *request;

    if (!prober->diagnosis)
        return -EOPNOTSUPP;
    request = rtnetlink_begin(prober->diagnosis, "list sockets", SOCK_DIAG_BY_FAMILY, 0, sizeof(*request));
    request->sdiag_family = (uint8_t)family;
    request->sdiag_protocol = protocol;
    request->idiag_states = states;
    return rtnetlink_dump(prober->diagnosis, handler, look);
}

/* --- who is connected ---------------------------------------------------------------------------------------- */

static void note_connection(struct probe *probe, const struct inet_diag_msg *socket)
{
    struct ip_address wanted = wire_address_to(&probe->request.target);
    struct ip_address peer = address_of(socket->idiag_family, socket->id.idiag_dst);

    if (probe->request.kind != PROBE_PEER || probe->state != PROBE_STATE_RUNNING ||
        probe->result.outcome == PROBE_ANSWERED || ntohs(socket->id.idiag_sport) != probe->request.port ||
        !ip_address_equal(&peer, &wanted))
        return;
    /* half open: until it is confirmed, or time is over */
    probe->result.outcome = socket->idiag_state == TCP_SYN_RECV ? PROBE_HALF_OPEN : PROBE_ANSWERED;
    probe->result.port = ntohs(socket->id.idiag_dport);
    probe->result.address = probe->request.target;
}

static void on_connection(const struct nlmsghdr *message, void *userdata)
{
    const struct look *look = userdata;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct inet_diag_msg))
        return;
    for (size_t i = 0; i < look->prober->count; i++)
        note_connection(&look->prober->probes[i], mnl_nlmsg_get_payload(message));
}

static bool is_watching(const struct probe *probe)
{
    return probe->request.kind == PROBE_PEER && probe->state == PROBE_STATE_RUNNING;
}

void kernel_look_at_peers(struct prober *prober)
{
    const uint32_t states = ~(UINT32_C(1) << TCP_LISTEN) & ~(UINT32_C(1) << TCP_CLOSE) & 0xfff;
    /* TCP_NEW_SYN_RECV (12) is what the kernel calls requests inside; they are told as TCP_SYN_RECV. */
    struct look look = {.prober = prober};
    bool is_wanted = false;
    int result;

    for (size_t i = 0; i < prober->count && !is_wanted; i++)
        is_wanted = is_watching(&prober->probes[i]);
    if (!is_wanted)
        return;
    result = dump_sockets(prober, AF_INET, IPPROTO_TCP, states, on_connection, &look);
    if (result == 0) /* a socket of both families has v4 peers, too */
        result = dump_sockets(prober, AF_INET6, IPPROTO_TCP, states, on_connection, &look);
    for (size_t i = 0; i < prober->count && result < 0 && result != -EINTR && result != -EAGAIN; i++) {
        if (is_watching(&prober->probes[i]))
            prober->probes[i].result = (struct probe_result){.outcome = PROBE_FAILED, .error = result};
    }
}

/* --- who listens --------------------------------------------------------------------------------------------- */

/* The lowest ones, in order, each once. */
static void note_other(struct probe_result *result, uint16_t port)
{
    size_t place = 0;

    while (place < PROBE_OTHERS_MAX && result->others[place] != 0 && result->others[place] < port)
        place++;
    if (place == PROBE_OTHERS_MAX || result->others[place] == port)
        return;
    memmove(&result->others[place + 1], &result->others[place],
            (PROBE_OTHERS_MAX - 1 - place) * sizeof(result->others[0]));
    result->others[place] = port;
}

static void on_listener(const struct nlmsghdr *message, void *userdata)
{
    const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);
    struct look *look = userdata;
    struct ip_address wanted = wire_address_to(&look->probe->request.target);
    uint16_t port = look->probe->request.port;
    struct ip_address own;
    bool is_heard;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*socket))
        return;
    own = address_of(socket->idiag_family, socket->id.idiag_src);
    /* An unspecified v6 one takes v4, too, unless IPV6_V6ONLY says otherwise: then the connection is refused, and that
     * is what is told. */
    is_heard = ip_address_equal(&own, &wanted) ||
               (ip_address_is_unspecified(&own) && (own.family == wanted.family || own.family == IP_FAMILY_6));
    if (port > 0 && ntohs(socket->id.idiag_sport) != port) {
        if (is_heard)
            note_other(&look->probe->result, ntohs(socket->id.idiag_sport));
    } else if (is_heard) {
        look->is_found = true;
    } else if (ip_address_is_loopback(&own)) {
        look->is_on_loopback = true;
    } else if (!ip_address_is_unspecified(&own)) {
        look->is_elsewhere = true;
        look->elsewhere = own;
    }
}

void kernel_look_at_listeners(struct prober *prober, struct probe *probe)
{
    uint8_t protocol = probe->request.protocol;
    uint32_t states = UINT32_C(1) << (protocol == IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE);
    struct look look = {.probe = probe};
    int result = dump_sockets(prober, AF_INET, protocol, states, on_listener, &look);

    if (result == 0)
        result = dump_sockets(prober, AF_INET6, protocol, states, on_listener, &look);
    if (result < 0) {
        probe->result.outcome = PROBE_FAILED;
        probe->result.error = result;
    } else if (look.is_found) {
        probe->result.outcome = PROBE_ANSWERED;
    } else if (look.is_on_loopback) {
        probe->result.outcome = PROBE_LOOPBACK;
    } else if (look.is_elsewhere) {
        probe->result.outcome = PROBE_ELSEWHERE;
        probe->result.address = wire_address_from(&look.elsewhere);
    } else {
        probe->result.outcome = PROBE_REFUSED;
    }
}

/* --- by which way -------------------------------------------------------------------------------------------- */

static void on_route(const struct nlmsghdr *message, void *userdata)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    struct probe *probe = userdata;
    size_t length = ip_family_length(probe->request.target.family);

    if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(struct rtmsg))
        return;
    rtnetlink_attributes(message, sizeof(struct rtmsg), attributes, RTA_MAX);
    probe->result.outcome = PROBE_ANSWERED;
    if (attributes[RTA_GATEWAY] && mnl_attr_get_payload_len(attributes[RTA_GATEWAY]) == length) {
        struct ip_address gateway =
            ip_address_from_bytes(probe->request.target.family, mnl_attr_get_payload(attributes[RTA_GATEWAY]));

        probe->result.address = wire_address_from(&gateway);
    }
}

void kernel_look_at_route(struct prober *prober, struct probe *probe)
{
    const struct probe_request *request = &probe->request;
    size_t length = ip_family_length(request->target.family);
    struct rtmsg *route = rtnetlink_begin(prober->routes, "get route", RTM_GETROUTE, 0, sizeof(*route));
    struct nlmsghdr *message = rtnetlink_message(prober->routes);
    int result;

    route->rtm_family = (uint8_t)ip_family_to_kernel(request->target.family);
    route->rtm_dst_len = (uint8_t)(8 * length);
    mnl_attr_put(message, RTA_DST, length, request->target.bytes);
    if (request->source.family != IP_FAMILY_NONE) {
        route->rtm_src_len = (uint8_t)(8 * length);
        mnl_attr_put(message, RTA_SRC, length, request->source.bytes);
    }
    message->nlmsg_flags |= NLM_F_ACK;
    result = rtnetlink_ask(prober->routes, message, on_route, probe);
    if (result < 0) {
        probe->result.outcome = PROBE_FAILED;
        probe->result.error = result;
    }
}
