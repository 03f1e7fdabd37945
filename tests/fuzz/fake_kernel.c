/* Netlink sockets that answer from a tape; see fake_kernel.h. Linked into fuzz targets and unit tests only. */
#include "tests/fuzz/fake_kernel.h"

#include "common/cleanup.h"
#include "workers/netlink/netlink_message.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What the wrapped functions are called with; the descriptor is never a real one. */
#define DESCRIPTOR  1000
#define PORT_NUMBER 24942
#define BUFFER_SIZE (4 * 1024 * 1024)

struct mnl_socket {
    int unused;
};

static struct {
    const uint8_t *bytes;
    size_t length;
    uint32_t sequence;
    size_t requests;
    struct mnl_socket socket;
} kernel;

static const int failures[] = {ENOBUFS, ENOMEM, EAGAIN, EINTR, EMSGSIZE, EPERM, EOPNOTSUPP, EIO};

void fake_kernel_start(const uint8_t *tape, size_t length)
{
    kernel.bytes = tape;
    kernel.length = length;
    kernel.sequence = 0;
    kernel.requests = 0;
}

size_t fake_kernel_requests(void)
{
    return kernel.requests;
}

static int failure(void)
{
    return failures[kernel.bytes[1] % ARRAY_LENGTH(failures)];
}

static void skip(size_t length)
{
    kernel.bytes += length;
    kernel.length -= length;
}

/* Makes answers of the messages in a datagram. Returns the length of its whole messages. */
static void address_messages(uint8_t *datagram, size_t length, uint8_t flags)
{
    struct nlmsghdr *message = (struct nlmsghdr *)(void *)datagram;
    int rest = (int)length;

    for (; netlink_message_is_whole(message, rest); message = mnl_nlmsg_next(message, &rest)) {
        if (!(flags & FAKE_KERNEL_KEEP_SEQUENCE))
            message->nlmsg_seq = kernel.sequence;
        if (!(flags & FAKE_KERNEL_KEEP_PORT))
            message->nlmsg_pid = PORT_NUMBER;
    }
}

static size_t append_end(uint8_t *buffer, size_t length, size_t size)
{
    const struct nlmsghdr end = {
        .nlmsg_len = sizeof(end),
        .nlmsg_type = NLMSG_DONE,
        .nlmsg_seq = kernel.sequence,
        .nlmsg_pid = PORT_NUMBER,
    };

    if (length % NLMSG_ALIGNTO || size - length < sizeof(end))
        return length;
    memcpy(buffer + length, &end, sizeof(end));
    return length + sizeof(end);
}

/* The next datagram; *ret_port is its sender. */
static ssize_t receive(void *buffer, size_t size, uint32_t *ret_port)
{
    uint8_t flags;
    size_t length;

    if (kernel.length < FAKE_KERNEL_HEADER_SIZE) {
        errno = EAGAIN;
        return -1;
    }
    flags = kernel.bytes[0];
    if (flags & FAKE_KERNEL_FAILS) {
        errno = failure();
        skip(FAKE_KERNEL_HEADER_SIZE);
        return -1;
    }
    length = kernel.bytes[2] | (size_t)kernel.bytes[3] << 8;
    skip(FAKE_KERNEL_HEADER_SIZE);
    if (length > kernel.length)
        length = kernel.length;
    memcpy(buffer, kernel.bytes, length < size ? length : size);
    skip(length);
    if (length > size)
        length = size;
    address_messages(buffer, length, flags);
    *ret_port = flags & FAKE_KERNEL_FOREIGN ? PORT_NUMBER : 0;
    return (ssize_t)(flags & FAKE_KERNEL_ENDS_DUMP ? append_end(buffer, length, size) : length);
}

static ssize_t send_request(uint32_t sequence, size_t length)
{
    kernel.sequence = sequence;
    kernel.requests++;
    if (kernel.length < FAKE_KERNEL_HEADER_SIZE || !(kernel.bytes[0] & FAKE_KERNEL_SEND_FAILS))
        return (ssize_t)length;
    errno = failure();
    skip(FAKE_KERNEL_HEADER_SIZE);
    return -1;
}

/* --- what --wrap leads here; the names are the linker's ------------------------------------------------- */

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags);
int __wrap_mnl_socket_bind(struct mnl_socket *socket, unsigned int groups, pid_t port);
int __wrap_mnl_socket_close(struct mnl_socket *socket);
int __wrap_mnl_socket_get_fd(const struct mnl_socket *socket);
unsigned int __wrap_mnl_socket_get_portid(const struct mnl_socket *socket);
int __wrap_mnl_socket_setsockopt(const struct mnl_socket *socket, int type, void *value, socklen_t length);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t length);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *from_length);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *datagram, int flags);

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags)
{
    (void)bus;
    (void)flags;
    return &kernel.socket;
}

int __wrap_mnl_socket_bind(struct mnl_socket *socket, unsigned int groups, pid_t port)
{
    (void)socket;
    (void)groups;
    (void)port;
    return 0;
}

int __wrap_mnl_socket_close(struct mnl_socket *socket)
{
    (void)socket;
    return 0;
}

int __wrap_mnl_socket_get_fd(const struct mnl_socket *socket)
{
    (void)socket;
    return DESCRIPTOR;
}

unsigned int __wrap_mnl_socket_get_portid(const struct mnl_socket *socket)
{
    (void)socket;
    return PORT_NUMBER;
}

int __wrap_mnl_socket_setsockopt(const struct mnl_socket *socket, int type, void *value, socklen_t length)
{
    (void)socket;
    (void)type;
    (void)value;
    (void)length;
    return 0;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t length)
{
    (void)socket;
    return send_request(((const struct nlmsghdr *)request)->nlmsg_seq, length);
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t size)
{
    uint32_t port = 0;

    (void)socket;
    return receive(buffer, size, &port);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd;
    (void)address;
    (void)length;
    return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    (void)level;
    (void)name;
    (void)value;
    (void)length;
    if (fd != DESCRIPTOR)
        abort();
    return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    const int size = BUFFER_SIZE;

    (void)level;
    (void)name;
    if (fd != DESCRIPTOR || *length < sizeof(size))
        abort();
    memcpy(value, &size, sizeof(size));
    return 0;
}

ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *from_length)
{
    struct sockaddr_nl sender = {.nl_family = AF_NETLINK};
    ssize_t length;

    (void)flags;
    if (fd != DESCRIPTOR || *from_length < sizeof(sender))
        abort();
    length = receive(buffer, size, &sender.nl_pid);
    memcpy(from, &sender, sizeof(sender));
    return length;
}

/* A batch: the answer to be expected is that to its last message but the end. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *datagram, int flags)
{
    const struct nlmsghdr *message = datagram->msg_iov[1].iov_base;
    int rest = (int)datagram->msg_iov[1].iov_len;
    uint32_t sequence = 0;

    (void)fd;
    (void)flags;
    for (; netlink_message_is_whole(message, rest); message = mnl_nlmsg_next(message, &rest))
        sequence = message->nlmsg_seq;
    return send_request(sequence, datagram->msg_iov[1].iov_len);
}
