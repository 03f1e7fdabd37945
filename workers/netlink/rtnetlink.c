/* Requests to rtnetlink; see rtnetlink.h. Runs in anchord-netadmin and anchord-way with CAP_NET_ADMIN, before and
 * behind their seccomp filters: only what opens sockets or takes them over needs more than sendto(2) and recvmsg(2). */
#include "workers/netlink/rtnetlink.h"

#include "common/text.h"
#include "workers/netlink/netlink_message.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* No answer came later than sendto(2) in 20,000 of 20,000 requests; this only ends a hang. */
#define ANSWER_SECONDS 5

/* The kernel fills dumps up to 32 KiB a datagram (net/netlink/af_netlink.c, netlink_recvmsg). */
#define RECEIVE_SIZE 32768

/* A `docker network connect` is a burst of some kilobytes; this bridges a busy second. */
#define MONITOR_BUFFER_SIZE (1024 * 1024)

/* Read only while there are several routers; else the kernel drops what does not fit. */
#define NEIGHBOUR_BUFFER_SIZE (16 * 1024)

/* Then the other event sources have their turn; what is left wakes the loop again. */
#define DATAGRAMS_PER_DRAIN 1024

struct rtnetlink {
    struct mnl_socket *socket;
    uint32_t sequence;
    struct rtnetlink_request request;
    _Alignas(8) uint8_t message[RTNETLINK_REQUEST_SIZE];
    _Alignas(8) uint8_t received[RECEIVE_SIZE];
};

static const int monitored_groups[] = {
    RTNLGRP_LINK,      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,  RTNLGRP_IPV4_ROUTE,   RTNLGRP_IPV6_ROUTE,
    RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,   RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF,
};

struct rtnetlink *rtnetlink_free(struct rtnetlink *rtnetlink)
{
    if (!rtnetlink)
        return NULL;
    if (rtnetlink->socket)
        (void)mnl_socket_close(rtnetlink->socket);
    free(rtnetlink);
    return NULL;
}

static int set_answer_options(struct mnl_socket *socket)
{
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    int on = 1;

    if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
        return -errno;
    /* Explanations, short error messages, dumps filtered by the kernel: pleasant, but any of them may be
     * missing (before Linux 4.12 and 5.0); what they filter is filtered again here. */
    (void)mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on));
    (void)mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    return 0;
}

/* From now on nobody but the kernel can send to it alone (net/netlink/af_netlink.c, netlink_getsockbyportid): whoever
 * has CAP_NET_ADMIN in the namespace could. */
static int connect_to_kernel(const struct mnl_socket *socket)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    return connect(mnl_socket_get_fd(socket), (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ? -errno : 0;
}

int rtnetlink_adopt(struct mnl_socket *opened, struct rtnetlink **ret)
{
    CLEANUP(rtnetlink_socket_closep) struct mnl_socket *socket = opened;
    struct rtnetlink *rtnetlink;
    int result;

    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return -errno;
    result = connect_to_kernel(socket);
    if (result == 0)
        result = set_answer_options(socket);
    if (result < 0)
        return result;
    rtnetlink = calloc(1, sizeof(*rtnetlink));
    if (!rtnetlink)
        return -ENOMEM;
    rtnetlink->socket = TAKE_POINTER(socket);
    *ret = rtnetlink;
    return 0;
}

int rtnetlink_new(struct rtnetlink **ret)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    return socket ? rtnetlink_adopt(socket, ret) : -errno;
}

struct nlmsghdr *rtnetlink_message(struct rtnetlink *rtnetlink)
{
    return (struct nlmsghdr *)rtnetlink->message;
}

struct rtnetlink_request *rtnetlink_request(struct rtnetlink *rtnetlink)
{
    return &rtnetlink->request;
}

struct mnl_socket *rtnetlink_socket(const struct rtnetlink *rtnetlink)
{
    return rtnetlink->socket;
}

uint32_t rtnetlink_reserve(struct rtnetlink *rtnetlink, uint32_t count)
{
    uint32_t first = rtnetlink->sequence + 1;

    rtnetlink->sequence += count;
    return first;
}

void *rtnetlink_begin(struct rtnetlink *rtnetlink, const char *operation, uint16_t type, uint16_t flags,
                      size_t header_size)
{
    struct nlmsghdr *message;

    memset(rtnetlink->message, 0, sizeof(rtnetlink->message));
    rtnetlink->request = (struct rtnetlink_request){.operation = operation};
    message = mnl_nlmsg_put_header(rtnetlink->message);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    return mnl_nlmsg_put_extra_header(message, header_size);
}

void rtnetlink_describe(struct rtnetlink *rtnetlink, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(rtnetlink->request.object, sizeof(rtnetlink->request.object), format, arguments);
    va_end(arguments);
}

int rtnetlink_receive(struct mnl_socket *socket, void *buffer, size_t size)
{
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t from_length = sizeof(from);
        ssize_t length =
            recvfrom(mnl_socket_get_fd(socket), buffer, size, MSG_TRUNC, (struct sockaddr *)&from, &from_length);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (from.nl_pid != 0)
            return 0; /* passed over, but counted by whoever reads many: there may be no end of them */
        return (size_t)length > size ? -ENOSPC : (int)length;
    }
}

static bool is_answer(const struct rtnetlink *rtnetlink, const struct nlmsghdr *message)
{
    /* What comes late from a request that timed out has an older number. */
    return mnl_nlmsg_seq_ok(message, rtnetlink->sequence) &&
           mnl_nlmsg_portid_ok(message, mnl_socket_get_portid(rtnetlink->socket));
}

/* The explanation stands behind the copy of the request, which NETLINK_CAP_ACK cuts to its header. */
static void keep_kernel_text(struct rtnetlink_request *request, const struct nlmsghdr *message)
{
    const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[NLMSGERR_ATTR_MAX + 1];
    const struct nlattr *text;
    size_t offset = sizeof(*answer);

    if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    if (!(message->nlmsg_flags & NLM_F_CAPPED))
        offset += MNL_ALIGN(answer->msg.nlmsg_len) - sizeof(answer->msg);
    if (offset > mnl_nlmsg_get_payload_len(message))
        return;
    rtnetlink_attributes(message, offset, attributes, NLMSGERR_ATTR_MAX);
    text = attributes[NLMSGERR_ATTR_MSG];
    if (text && text_is_terminated(mnl_attr_get_payload(text), mnl_attr_get_payload_len(text)))
        text_copy_cut(request->kernel_text, sizeof(request->kernel_text), mnl_attr_get_str(text));
}

/* Returns 1, or the kernel's negative errno. */
static int read_acknowledgement(struct rtnetlink_request *request, const struct nlmsghdr *message)
{
    const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*answer) || answer->error > 0)
        return -EBADMSG;
    if (answer->error)
        keep_kernel_text(request, message);
    return answer->error ? answer->error : 1;
}

/* A dump that fails after it began says so in its end (net/netlink/af_netlink.c, netlink_dump_done). */
static int read_end_of_dump(const struct nlmsghdr *message)
{
    const int *error = mnl_nlmsg_get_payload(message);

    return mnl_nlmsg_get_payload_len(message) >= sizeof(*error) && *error < 0 ? *error : 1;
}

/* Returns 1 at the end of the answer, 0 before it, or a negative errno. */
static int handle_datagram(struct rtnetlink *rtnetlink, int length, rtnetlink_handler handler, void *userdata,
                           bool *interrupted)
{
    const struct nlmsghdr *message = (const struct nlmsghdr *)rtnetlink->received;

    for (; netlink_message_is_whole(message, length); message = mnl_nlmsg_next(message, &length)) {
        if (!is_answer(rtnetlink, message))
            continue;
        if (message->nlmsg_flags & NLM_F_DUMP_INTR)
            *interrupted = true;
        if (message->nlmsg_type == NLMSG_ERROR)
            return read_acknowledgement(&rtnetlink->request, message);
        if (message->nlmsg_type == NLMSG_DONE)
            return read_end_of_dump(message);
        if (message->nlmsg_type >= NLMSG_MIN_TYPE && handler)
            handler(message, userdata);
    }
    return 0;
}

/* Sends `length` bytes of messages, all with one sequence number, and takes the first verdict. */
static int ask(struct rtnetlink *rtnetlink, struct nlmsghdr *first, size_t length, rtnetlink_handler handler,
               void *userdata)
{
    uint32_t sequence = rtnetlink_reserve(rtnetlink, 1);
    struct nlmsghdr *message = first;
    bool interrupted = false;
    int result = 0;

    rtnetlink->request.kernel_text[0] = '\0';
    for (int rest = (int)length; netlink_message_is_whole(message, rest); message = mnl_nlmsg_next(message, &rest))
        message->nlmsg_seq = sequence;
    if (mnl_socket_sendto(rtnetlink->socket, first, length) < 0)
        return -errno;
    while (result == 0) {
        result = rtnetlink_receive(rtnetlink->socket, rtnetlink->received, sizeof(rtnetlink->received));
        if (result >= 0)
            result = handle_datagram(rtnetlink, result, handler, userdata, &interrupted);
    }
    if (result < 0)
        return result;
    return interrupted ? -EINTR : 0;
}

int rtnetlink_ask(struct rtnetlink *rtnetlink, struct nlmsghdr *message, rtnetlink_handler handler, void *userdata)
{
    return ask(rtnetlink, message, message->nlmsg_len, handler, userdata);
}

int rtnetlink_ask_all(struct rtnetlink *rtnetlink, void *messages, size_t length)
{
    return ask(rtnetlink, messages, length, NULL, NULL);
}

int rtnetlink_execute(struct rtnetlink *rtnetlink)
{
    rtnetlink_message(rtnetlink)->nlmsg_flags |= NLM_F_ACK;
    return rtnetlink_ask(rtnetlink, rtnetlink_message(rtnetlink), NULL, NULL);
}

int rtnetlink_dump(struct rtnetlink *rtnetlink, rtnetlink_handler handler, void *userdata)
{
    rtnetlink_message(rtnetlink)->nlmsg_flags |= NLM_F_DUMP;
    return rtnetlink_ask(rtnetlink, rtnetlink_message(rtnetlink), handler, userdata);
}

/* Takes the socket over, also when it fails. */
static int begin_monitor(struct mnl_socket *opened, const int *groups, size_t count, int buffer_size,
                         struct mnl_socket **ret)
{
    CLEANUP(rtnetlink_socket_closep) struct mnl_socket *monitor = opened;
    int result = mnl_socket_bind(monitor, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : connect_to_kernel(monitor);

    if (result < 0)
        return result;
    /* Cut to net.core.rmem_max without complaint; overflow only means to read everything again. */
    (void)setsockopt(mnl_socket_get_fd(monitor), SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof(buffer_size));
    for (size_t i = 0; i < count; i++) {
        int group = groups[i];

        if (mnl_socket_setsockopt(monitor, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
            return -errno;
    }
    *ret = TAKE_POINTER(monitor);
    return 0;
}

static int open_monitor(int protocol, const int *groups, size_t count, int buffer_size, struct mnl_socket **ret)
{
    struct mnl_socket *monitor = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);

    return monitor ? begin_monitor(monitor, groups, count, buffer_size, ret) : -errno;
}

int rtnetlink_monitor_adopt(struct mnl_socket *opened, struct mnl_socket **ret)
{
    return begin_monitor(opened, monitored_groups, ARRAY_LENGTH(monitored_groups), MONITOR_BUFFER_SIZE, ret);
}

int rtnetlink_monitor_open(struct mnl_socket **ret)
{
    return open_monitor(NETLINK_ROUTE, monitored_groups, ARRAY_LENGTH(monitored_groups), MONITOR_BUFFER_SIZE, ret);
}

int rtnetlink_neighbour_monitor_open(struct mnl_socket **ret)
{
    static const int group = RTNLGRP_NEIGH;

    return open_monitor(NETLINK_ROUTE, &group, 1, NEIGHBOUR_BUFFER_SIZE, ret);
}

int rtnetlink_filter_monitor_open(struct mnl_socket **ret)
{
    static const int group = NFNLGRP_NFTABLES;

    return open_monitor(NETLINK_NETFILTER, &group, 1, MONITOR_BUFFER_SIZE, ret);
}

int rtnetlink_monitor_drain(struct mnl_socket *monitor, rtnetlink_handler handler, void *userdata)
{
    _Alignas(8) uint8_t received[RECEIVE_SIZE];
    bool lost = false;

    for (int i = 0; i < DATAGRAMS_PER_DRAIN; i++) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)received;
        int length = rtnetlink_receive(monitor, received, sizeof(received));

        if (length == -ETIMEDOUT) /* nothing more is there: the socket does not block */
            break;
        if (length < 0 && length != -ENOBUFS)
            return length;
        lost = lost || length < 0;
        for (; netlink_message_is_whole(message, length); message = mnl_nlmsg_next(message, &length))
            handler(message, userdata);
    }
    return lost ? -ENOBUFS : 0;
}

struct attribute_table {
    const struct nlattr **table;
    uint16_t maximum;
};

static int sort_attribute(const struct nlattr *attribute, void *userdata)
{
    const struct attribute_table *sorted = userdata;

    if (mnl_attr_get_type(attribute) <= sorted->maximum)
        sorted->table[mnl_attr_get_type(attribute)] = attribute;
    return MNL_CB_OK;
}

static void clear_table(const struct nlattr **table, uint16_t maximum)
{
    for (size_t i = 0; i <= maximum; i++)
        table[i] = NULL;
}

void rtnetlink_attributes(const struct nlmsghdr *message, size_t header_size, const struct nlattr **table,
                          uint16_t maximum)
{
    struct attribute_table sorted = {.table = table, .maximum = maximum};

    clear_table(table, maximum);
    (void)mnl_attr_parse(message, (unsigned int)header_size, sort_attribute, &sorted);
}

void rtnetlink_nested_attributes(const struct nlattr *nest, const struct nlattr **table, uint16_t maximum)
{
    struct attribute_table sorted = {.table = table, .maximum = maximum};

    clear_table(table, maximum);
    if (nest)
        (void)mnl_attr_parse_nested(nest, sort_attribute, &sorted);
}

uint32_t rtnetlink_get_u32(const struct nlattr *attribute, uint32_t otherwise)
{
    return attribute && mnl_attr_get_payload_len(attribute) >= sizeof(uint32_t) ? mnl_attr_get_u32(attribute)
                                                                                : otherwise;
}

uint8_t rtnetlink_get_u8(const struct nlattr *attribute, uint8_t otherwise)
{
    return attribute && mnl_attr_get_payload_len(attribute) >= sizeof(uint8_t) ? mnl_attr_get_u8(attribute) : otherwise;
}
