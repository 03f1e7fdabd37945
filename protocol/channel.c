/* One end of a connection between two of our processes; see channel.h. Runs in every process, no privilege.
 */
#include "protocol/channel.h"

#include "protocol/datagram.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <utlist.h>

/* A peer that floods us gets this many messages served, then the other event sources have their turn. */
#define MESSAGES_PER_WAKEUP 64

struct queued_message {
    struct queued_message *prev; /* of the first: the last, so that appending costs the same however long it is */
    struct queued_message *next;
    int descriptor;
    size_t length;
    uint8_t bytes[];
};

struct channel {
    int fd;
    enum message_direction receives;
    struct channel_callbacks callbacks;
    sd_event_source *io_source;
    sd_event_source *closed_source; /* defers on_closed to the event loop */
    char refusal[64];               /* the reason, when it is channel_refuse()'s */
    struct queued_message *queue;
    size_t queued_bytes;
    int error;
    const char *reason;
    bool is_over;
    bool *was_freed; /* set while a handler runs that may free us */
};

DEFINE_POINTER_CLEANUP(struct queued_message, free, queued_message_freep);

static void drop_queued(struct channel *channel, struct queued_message *queued)
{
    DL_DELETE(channel->queue, queued);
    channel->queued_bytes -= queued->length;
    close_fd(&queued->descriptor);
    free(queued);
}

struct channel *channel_free(struct channel *channel)
{
    if (!channel)
        return NULL;
    if (channel->was_freed)
        *channel->was_freed = true;
    while (channel->queue)
        drop_queued(channel, channel->queue);
    sd_event_source_disable_unref(channel->io_source);
    sd_event_source_disable_unref(channel->closed_source);
    close_fd(&channel->fd);
    free(channel);
    return NULL;
}

/* The first reason wins; the owner hears of it from the event loop, not from inside its own call. */
static void end_connection(struct channel *channel, int error, const char *reason)
{
    if (channel->is_over)
        return;
    channel->is_over = true;
    channel->error = error;
    channel->reason = reason;
    (void)sd_event_source_set_enabled(channel->io_source, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(channel->closed_source, SD_EVENT_ONESHOT);
}

void channel_refuse(struct channel *channel, const struct message_header *message, int descriptor)
{
    close_fd(&descriptor);
    (void)snprintf(channel->refusal, sizeof(channel->refusal), "no handler for %s",
                   message_type_to_string(message->type));
    end_connection(channel, -EPROTO, channel->refusal);
}

static int on_closed_deferred(sd_event_source *source, void *userdata)
{
    struct channel *channel = userdata;

    (void)source;
    channel->callbacks.on_closed(channel, channel->error, channel->reason, channel->callbacks.userdata);
    return 0;
}

static int send_now(int fd, const void *bytes, size_t length, int descriptor)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1};

    if (descriptor >= 0) {
        struct cmsghdr *rights = &control.align;

        datagram.msg_control = control.bytes;
        datagram.msg_controllen = sizeof(control.bytes);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
    }
    if (sendmsg(fd, &datagram, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return -errno;
    return 0;
}

static int enqueue(struct channel *channel, const struct message_header *message, int descriptor)
{
    CLEANUP(queued_message_freep) struct queued_message *queued = NULL;
    CLEANUP_FD int duplicate = -1;

    if (channel->queued_bytes + message->length > CHANNEL_QUEUE_LIMIT)
        return -ENOBUFS;
    if (descriptor >= 0) {
        duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, SUPERVISOR_DESCRIPTOR);
        if (duplicate < 0)
            return -errno;
    }
    queued = malloc(sizeof(*queued) + message->length);
    if (!queued)
        return -ENOMEM;
    queued->descriptor = TAKE_FD(duplicate);
    queued->length = message->length;
    memcpy(queued->bytes, message, message->length);
    DL_APPEND(channel->queue, queued);
    channel->queued_bytes += queued->length;
    TAKE_POINTER(queued);
    return sd_event_source_set_io_events(channel->io_source, EPOLLIN | EPOLLOUT);
}

int channel_send(struct channel *channel, const struct message_header *message, int descriptor)
{
    int result;

    if (channel->is_over)
        return -EPIPE;
    if (channel->queue)
        result = enqueue(channel, message, descriptor);
    else
        result = send_now(channel->fd, message, message->length, descriptor);
    if (result == -EAGAIN)
        result = enqueue(channel, message, descriptor);
    if (result < 0)
        end_connection(channel, result, "cannot send");
    return result;
}

static void send_queued(struct channel *channel)
{
    while (channel->queue) {
        struct queued_message *first = channel->queue;
        int result = send_now(channel->fd, first->bytes, first->length, first->descriptor);

        if (result == -EAGAIN)
            return;
        if (result < 0) {
            end_connection(channel, result, "cannot send");
            return;
        }
        drop_queued(channel, first);
    }
    (void)sd_event_source_set_io_events(channel->io_source, EPOLLIN);
}

/* Returns 1 when a message was handled, 0 when there is nothing more to do now. */
static int receive_one(struct channel *channel)
{
    const struct message_header *message = NULL;
    const char *reason = NULL;
    int descriptor = -1;
    int result = datagram_receive(channel->fd, channel->receives, &message, &descriptor, &reason);

    if (result < 0)
        end_connection(channel, result == -ENODATA ? 0 : result, reason);
    if (result <= 0)
        return 0;
    channel->callbacks.on_message(channel, message, descriptor, channel->callbacks.userdata);
    return 1;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct channel *channel = userdata;
    bool was_freed = false;

    (void)source;
    (void)fd;
    if (events & EPOLLOUT)
        send_queued(channel);
    channel->was_freed = &was_freed;
    for (int i = 0; i < MESSAGES_PER_WAKEUP && !channel->is_over; i++) {
        int handled = receive_one(channel);

        if (was_freed)
            return 0;
        if (handled == 0)
            break;
    }
    channel->was_freed = NULL;
    return 0;
}

int channel_new(sd_event *event, int fd, enum message_direction receives, const struct channel_callbacks *callbacks,
                struct channel **ret)
{
    CLEANUP_FD int owned_fd = fd;
    CLEANUP(channel_freep) struct channel *channel = calloc(1, sizeof(*channel));
    int result;

    if (!channel)
        return -ENOMEM;
    channel->fd = TAKE_FD(owned_fd);
    channel->receives = receives;
    channel->callbacks = *callbacks;
    result = sd_event_add_io(event, &channel->io_source, channel->fd, EPOLLIN, on_io, channel);
    if (result < 0)
        return result;
    result = sd_event_add_defer(event, &channel->closed_source, on_closed_deferred, channel);
    if (result < 0)
        return result;
    result = sd_event_source_set_enabled(channel->closed_source, SD_EVENT_OFF);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(channel);
    return 0;
}

int channel_send_pong(struct channel *channel, const struct message_header *ping)
{
    struct message_ping pong = {
        .header = message_header_make(MESSAGE_PONG, sizeof(pong), ping->generation),
    };

    return channel_send_message(channel, &pong);
}

bool channel_has_unread(const struct channel *channel)
{
    int bytes = 0;

    if (channel->is_over)
        return false;
    return channel->queue || ioctl(channel->fd, SIOCOUTQ, &bytes) < 0 || bytes > 0;
}

int channel_make_pair(int ret[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret) < 0)
        return -errno;
    return 0;
}
