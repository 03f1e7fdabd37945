/* One message from a socket; see datagram.h. Runs in every process, no privilege. */
#include "protocol/datagram.h"

#include "common/cleanup.h"
#include "protocol/validate.h"

#include <string.h>
#include <sys/socket.h>

/* Takes the first descriptor of a datagram, closes and counts any others. */
static size_t take_descriptors(struct msghdr *datagram, int *ret_descriptor)
{
    size_t count = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(datagram); part; part = CMSG_NXTHDR(datagram, part)) {
        size_t in_part = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < in_part; i++) {
            int descriptor;

            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            if (count++ == 0)
                *ret_descriptor = descriptor;
            else
                close_fd(&descriptor);
        }
    }
    return count;
}

int datagram_receive(int fd, enum message_direction direction, const struct message_header **ret_message,
                     int *ret_descriptor, const char **ret_reason)
{
    static _Alignas(8) uint8_t buffer[MESSAGE_LENGTH_MAX]; /* one thread, never re-entered */
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = buffer, .iov_len = sizeof(buffer)};
    struct msghdr datagram = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    CLEANUP_FD int descriptor = -1;
    size_t descriptor_count;
    ssize_t length = recvmsg(fd, &datagram, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *ret_reason = "cannot receive";
    if (length < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    descriptor_count = take_descriptors(&datagram, &descriptor);
    *ret_reason = "peer closed the connection";
    if (length == 0 && descriptor_count == 0)
        return -ENODATA;
    *ret_reason = "datagram longer than any message";
    if (datagram.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
        message_validate(direction, buffer, (size_t)length, descriptor_count, ret_reason) < 0)
        return -EBADMSG;
    *ret_message = (const struct message_header *)buffer;
    *ret_descriptor = TAKE_FD(descriptor);
    return 1;
}
