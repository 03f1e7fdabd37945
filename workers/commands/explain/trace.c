/* Follows packets; see trace.h. Runs in anchord-explain. */
#include "workers/commands/explain/trace.h"

#include "workers/commands/explain/trace_decode.h"
#include "workers/commands/explain/trace_table.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#define BUFFER_SIZE    65536
#define RECEIVE_BUFFER (4 * 1024 * 1024) /* as much of it as net.core.rmem_max allows */

static int open_socket(struct mnl_socket **ret)
{
    *ret = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return *ret && mnl_socket_bind(*ret, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
}

static int ask_for_rules(struct mnl_socket *socket)
{
    _Alignas(struct nlmsghdr) uint8_t bytes[64] = {0};
    struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
    struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE);
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nfgen_family = NFPROTO_UNSPEC;
    header->version = NFNETLINK_V0;
    return mnl_socket_sendto(socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

int trace_begin(struct trace *trace, const struct explain_request *request)
{
    const int group = NFNLGRP_NFTRACE, size = RECEIVE_BUFFER;
    struct mnl_socket *owner = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    int result = owner ? rtnetlink_adopt(owner, &trace->owner) : -errno;

    if (result == 0)
        result = open_socket(&trace->packets);
    if (result == 0)
        result = open_socket(&trace->rules);
    if (result < 0)
        return result;
    (void)setsockopt(mnl_socket_get_fd(trace->packets), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (mnl_socket_setsockopt(trace->packets, NETLINK_ADD_MEMBERSHIP, (void *)(uintptr_t)&group, sizeof(group)) < 0)
        return -errno;
    result = trace_table_make(trace->owner, request);
    trace->must_be_swept = result > 0;
    trace->family = request->destinations[0].family == IP_FAMILY_6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    return result < 0 ? result : ask_for_rules(trace->rules);
}

/* Each message of what is there. False: the end of an answer, or of the socket. */
static bool read_messages(struct mnl_socket *socket, void *buffer, bool (*handler)(const struct nlmsghdr *, void *),
                          void *userdata)
{
    int length = rtnetlink_receive(socket, buffer, BUFFER_SIZE);

    if (length < 0)
        return length == -ENOBUFS; /* some are lost: of the others one sees what becomes of them, too */
    for (struct nlmsghdr *message = buffer; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
        if (message->nlmsg_type < NLMSG_MIN_TYPE || !handler(message, userdata))
            return message->nlmsg_type == NLMSG_NOOP;
    }
    return true;
}

static bool on_rule(const struct nlmsghdr *message, void *userdata)
{
    return trace_names_take(userdata, message) == 0;
}

struct telling {
    struct trace_names names;
    int channel;
};

static void telling_clear(struct telling *telling)
{
    trace_names_clear(&telling->names);
}

static bool on_packet(const struct nlmsghdr *message, void *userdata)
{
    struct telling *telling = userdata;
    struct explain_trace record;

    return !trace_decode(&telling->names, message, &record) ||
           send(telling->channel, &record, sizeof(record), MSG_NOSIGNAL) == sizeof(record);
}

void trace_run(const struct trace *trace, int channel)
{
    const struct explain_trace begun = {.kind = EXPLAIN_TRACE_BEGUN, .verdict = trace->must_be_swept};
    CLEANUP_FREE void *buffer = malloc(BUFFER_SIZE);
    CLEANUP(telling_clear) struct telling telling = {.names.family = trace->family, .channel = channel};

    while (buffer && read_messages(trace->rules, buffer, on_rule, &telling.names))
        continue;
    if (!buffer || send(channel, &begun, sizeof(begun), MSG_NOSIGNAL) < 0)
        return;
    for (;;) {
        struct pollfd polled[] = {{.fd = channel}, {.fd = mnl_socket_get_fd(trace->packets), .events = POLLIN}};

        if (poll(polled, ARRAY_LENGTH(polled), -1) < 0 || polled[0].revents)
            return; /* who asked has gone */
        if (polled[1].revents && !read_messages(trace->packets, buffer, on_packet, &telling))
            return;
    }
}

void trace_end(struct trace *trace)
{
    (void)rtnetlink_free(trace->owner);
    if (trace->packets)
        (void)mnl_socket_close(trace->packets);
    if (trace->rules)
        (void)mnl_socket_close(trace->rules);
    *trace = (struct trace){0};
}
