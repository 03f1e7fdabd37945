/* Requests and batches to netfilter; see nfnl_socket.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/nft/nfnl_socket.h"

#include "common/text.h"
#include "workers/netlink/netlink_message.h"
#include "workers/netlink/rtnetlink.h"

#include <arpa/inet.h>
#include <assert.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* 65,536 v6 elements, each deleted and added, are 3.7 MB. SO_SNDBUFFORCE doubles the value (socket(7)). */
#define SEND_BUFFER_WANTED    (4 * 1024 * 1024)
#define RECEIVE_BUFFER_WANTED (1024 * 1024)
/* af_netlink.c refuses messages longer than the send buffer less 32 bytes. */
#define SEND_BUFFER_RESERVE 32
/* ERESTART: somebody committed at the same moment, or a module had to be loaded. The batch is sent again. */
#define RESTART_LIMIT 10

struct nfnl_socket {
    struct rtnetlink *requests;
    size_t send_limit;
};

struct nfnl_socket *nfnl_socket_free(struct nfnl_socket *socket)
{
    if (!socket)
        return NULL;
    (void)rtnetlink_free(socket->requests);
    free(socket);
    return NULL;
}

/* Asks for a buffer of any size, else for as much as an ordinary user may have (a container with a user
 * namespace of its own); *ret_size is what we got. */
static int set_buffer(int fd, int force_option, int option, int wanted, size_t *ret_size)
{
    int size = 0;
    socklen_t length = sizeof(size);

    if (setsockopt(fd, SOL_SOCKET, force_option, &wanted, sizeof(wanted)) < 0 &&
        setsockopt(fd, SOL_SOCKET, option, &wanted, sizeof(wanted)) < 0)
        return -errno;
    if (getsockopt(fd, SOL_SOCKET, option, &size, &length) < 0)
        return -errno;
    *ret_size = (size_t)size;
    return 0;
}

static int set_options(int fd, size_t *ret_send_limit)
{
    size_t size = 0;
    int result = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER_WANTED, &size);

    if (result < 0)
        return result;
    *ret_send_limit = size - SEND_BUFFER_RESERVE;
    return set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER_WANTED, &size);
}

int nfnl_socket_open(int flags, struct mnl_socket **ret)
{
    CLEANUP(rtnetlink_socket_closep)
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | flags);

    if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
        return -errno;
    *ret = TAKE_POINTER(netlink);
    return 0;
}

int nfnl_socket_new(struct nfnl_socket **ret)
{
    CLEANUP(nfnl_socket_freep) struct nfnl_socket *socket = calloc(1, sizeof(*socket));
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    int result;

    if (!netlink)
        return -errno;
    if (!socket) {
        (void)mnl_socket_close(netlink);
        return -ENOMEM;
    }
    result = rtnetlink_adopt(netlink, &socket->requests);
    if (result == 0)
        result = set_options(mnl_socket_get_fd(rtnetlink_socket(socket->requests)), &socket->send_limit);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(socket);
    return 0;
}

uint32_t nfnl_socket_port(const struct nfnl_socket *socket)
{
    return mnl_socket_get_portid(rtnetlink_socket(socket->requests));
}

/* The errno in an NLMSG_ERROR, 0 for an acknowledgement. */
static int error_of(const struct nlmsghdr *message)
{
    const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*error))
        return -EBADMSG;
    return error->error < 0 ? error->error : -error->error;
}

struct answer {
    nfnl_message_handler on_message;
    void *userdata;
    int error; /* the first one */
};

static void on_answer(const struct nlmsghdr *message, void *userdata)
{
    struct answer *answer = userdata;
    int result = answer->on_message(message, answer->userdata);

    if (result < 0 && !answer->error)
        answer->error = result;
}

int nfnl_socket_request(struct nfnl_socket *socket, struct nlmsghdr *request, nfnl_message_handler on_message,
                        void *userdata)
{
    struct answer answer = {.on_message = on_message, .userdata = userdata};
    int result;

    request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    result = rtnetlink_ask(socket->requests, request, on_message ? on_answer : NULL, &answer);
    return result == 0 ? answer.error : result;
}

/* --- what stands in messages --------------------------------------------------------------------------- */

/* What is read of tables, chains, sets and others stands in their first attributes. */
#define ATTRIBUTES_MAX 3
static_assert((int)NFTA_CHAIN_NAME <= ATTRIBUTES_MAX && (int)NFTA_OBJ_TYPE <= ATTRIBUTES_MAX &&
                  (int)NFTA_GEN_PROC_NAME <= ATTRIBUTES_MAX,
              "names and numbers stand in the first attributes");

const char *nfnl_socket_read_text(const struct nlmsghdr *message, uint16_t type)
{
    const struct nlattr *attributes[ATTRIBUTES_MAX + 1];

    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, ATTRIBUTES_MAX);
    if (!attributes[type] || mnl_attr_validate(attributes[type], MNL_TYPE_NUL_STRING) < 0)
        return NULL;
    return mnl_attr_get_str(attributes[type]);
}

uint32_t nfnl_socket_read_u32(const struct nlmsghdr *message, uint16_t type)
{
    const struct nlattr *attributes[ATTRIBUTES_MAX + 1];

    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, ATTRIBUTES_MAX);
    return ntohl(rtnetlink_get_u32(attributes[type], 0));
}

/* --- batches ------------------------------------------------------------------------------------------- */

/* Operations first … last-1 of a batch, as one transaction. */
struct transaction {
    struct nft_batch *batch;
    size_t first;
    size_t last;
};

static size_t transaction_length(const struct transaction *transaction)
{
    return nft_batch_offset(transaction->batch, transaction->last) -
           nft_batch_offset(transaction->batch, transaction->first);
}

static int send_transaction(struct nfnl_socket *socket, const struct transaction *transaction, uint32_t begin_sequence)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    size_t count = transaction->last - transaction->first;
    _Alignas(8) char begin[64];
    _Alignas(8) char end[64];
    struct iovec parts[3];
    struct msghdr datagram = {
        .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = parts, .msg_iovlen = ARRAY_LENGTH(parts)};

    for (size_t i = 0; i < count; i++) {
        size_t offset = nft_batch_offset(transaction->batch, transaction->first + i);
        struct nlmsghdr *message = (struct nlmsghdr *)(transaction->batch->bytes + offset);

        message->nlmsg_seq = begin_sequence + 1 + (uint32_t)i;
        if (i + 1 == count)
            message->nlmsg_flags |= NLM_F_ACK; /* one answer for all; more could overflow our buffer */
    }
    parts[0] = (struct iovec){begin, nftnl_batch_begin(begin, begin_sequence)->nlmsg_len};
    parts[1] = (struct iovec){transaction->batch->bytes + nft_batch_offset(transaction->batch, transaction->first),
                              transaction_length(transaction)};
    parts[2] = (struct iovec){end, nftnl_batch_end(end, begin_sequence + 1 + (uint32_t)count)->nlmsg_len};
    if (sendmsg(mnl_socket_get_fd(rtnetlink_socket(socket->requests)), &datagram, 0) < 0)
        return -errno;
    return 0;
}

static void describe(const struct transaction *transaction, uint32_t index, int error, struct nft_failure *failure)
{
    failure->error = error;
    if (index == 0)
        text_copy_cut(failure->operation, sizeof(failure->operation), "begin nftables transaction");
    else
        text_copy_cut(failure->operation, sizeof(failure->operation),
                      transaction->batch->operations[transaction->first + index - 1].text);
}

/*
 * Reads until the last message is answered. An error on the BEGIN message (no permission, restart) is the only
 * answer that comes then.
 */
static int read_verdict(struct nfnl_socket *socket, const struct transaction *transaction, uint32_t begin_sequence,
                        struct nft_failure *failure)
{
    static _Alignas(8) uint8_t buffer[32768];
    uint32_t last_index = (uint32_t)(transaction->last - transaction->first);

    failure->error = 0;
    for (;;) {
        int rest = rtnetlink_receive(rtnetlink_socket(socket->requests), buffer, sizeof(buffer));

        if (rest < 0) {
            describe(transaction, 0, rest, failure);
            return rest;
        }
        for (const struct nlmsghdr *message = (const struct nlmsghdr *)buffer; netlink_message_is_whole(message, rest);
             message = mnl_nlmsg_next(message, &rest)) {
            uint32_t index = message->nlmsg_seq - begin_sequence;
            int error = message->nlmsg_type == NLMSG_ERROR ? error_of(message) : 0;

            if (message->nlmsg_type != NLMSG_ERROR || index > last_index)
                continue;
            if (error < 0 && !failure->error)
                describe(transaction, index, error, failure);
            if (index == last_index || (index == 0 && error < 0))
                return failure->error;
        }
    }
}

static int run_transaction(struct nfnl_socket *socket, const struct transaction *transaction,
                           struct nft_failure *failure)
{
    int result = 0;

    for (int attempt = 0; attempt < RESTART_LIMIT; attempt++) {
        uint32_t begin_sequence =
            rtnetlink_reserve(socket->requests, (uint32_t)(transaction->last - transaction->first) + 2);

        result = send_transaction(socket, transaction, begin_sequence);
        if (result < 0) {
            describe(transaction, 0, result, failure);
            return result;
        }
        result = read_verdict(socket, transaction, begin_sequence, failure);
        if (result != -ERESTART)
            return result;
    }
    return result;
}

/* Extends `transaction` from its first operation over as many whole groups as fit, at least one. */
static void take_groups(struct transaction *transaction, size_t limit)
{
    const struct nft_batch *batch = transaction->batch;
    size_t next = transaction->first + 1;

    transaction->last = batch->operation_count;
    if (transaction_length(transaction) <= limit)
        return;
    transaction->last = transaction->first;
    for (; next <= batch->operation_count; next++) {
        struct transaction longer = {.batch = transaction->batch, .first = transaction->first, .last = next};

        if (next < batch->operation_count && !batch->operations[next].starts_group)
            continue;
        if (transaction->last > transaction->first && transaction_length(&longer) > limit)
            return;
        transaction->last = next;
    }
}

int nfnl_socket_commit(struct nfnl_socket *socket, struct nft_batch *batch, struct nft_failure *failure)
{
    /* BEGIN and END take 20 bytes each. */
    size_t limit = socket->send_limit - 2 * (sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg));
    struct transaction transaction = {.batch = batch};

    if (batch->is_in_pieces && limit > NFT_PIECE_LENGTH)
        limit = NFT_PIECE_LENGTH;
    if (batch->error) {
        *failure = (struct nft_failure){.error = batch->error};
        text_copy_cut(failure->operation, sizeof(failure->operation), "build nftables transaction");
        return batch->error;
    }
    while (transaction.first < batch->operation_count) {
        int result;

        take_groups(&transaction, limit);
        result = run_transaction(socket, &transaction, failure);
        if (result < 0)
            return result;
        transaction.first = transaction.last;
    }
    return 0;
}
