/* Unit tests of protocol/channel: order, descriptors, floods, broken peers, ends. */
#include "protocol/channel.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

struct receiver {
    sd_event *event;
    struct channel *channel;
    unsigned int messages;
    uint64_t last_generation;
    bool in_order;
    int descriptor;
    bool closed;
    int error;
    char reason[64];
    bool frees_itself;
    bool refuses;
};

static void on_message(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    struct receiver *receiver = userdata;

    if (message->generation != receiver->last_generation + 1)
        receiver->in_order = false;
    receiver->last_generation = message->generation;
    receiver->messages++;
    if (receiver->refuses) {
        channel_refuse(channel, message, descriptor);
        return;
    }
    if (descriptor >= 0)
        receiver->descriptor = descriptor;
    if (receiver->frees_itself)
        receiver->channel = channel_free(channel);
}

static void on_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct receiver *receiver = userdata;

    receiver->closed = true;
    receiver->error = error;
    (void)strncpy(receiver->reason, reason, sizeof(receiver->reason) - 1);
    receiver->channel = channel_free(channel);
}

static void receiver_open(struct receiver *receiver, int fd, enum message_direction receives)
{
    const struct channel_callbacks callbacks = {on_message, on_closed, receiver};

    *receiver = (struct receiver){.in_order = true, .descriptor = -1};
    assert_int_equal(sd_event_new(&receiver->event), 0);
    assert_int_equal(channel_new(receiver->event, fd, receives, &callbacks, &receiver->channel), 0);
}

static void receiver_close(struct receiver *receiver)
{
    channel_free(receiver->channel);
    close_fd(&receiver->descriptor);
    sd_event_unref(receiver->event);
}

/* Runs the loop until nothing is ready any more. */
static void run(struct receiver *receiver)
{
    while (sd_event_run(receiver->event, 0) > 0)
        continue;
}

static struct message_ping ping(uint64_t generation)
{
    return (struct message_ping){message_header_make(MESSAGE_PING, sizeof(struct message_ping), generation)};
}

static void messages_and_descriptors_arrive(void **state)
{
    struct receiver receiver;
    struct receiver sender;
    struct message_link link = {message_header_make(MESSAGE_LINK, sizeof(link), 1), LINK_PEER_NETADMIN, 0};
    CLEANUP_FD int sent = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int pair[2];

    (void)state;
    assert_int_equal(channel_make_pair(pair), 0);
    receiver_open(&receiver, pair[0], DIRECTION_SUPERVISOR_TO_WATCHER);
    receiver_open(&sender, pair[1], DIRECTION_WATCHER_TO_SUPERVISOR);
    assert_int_equal(channel_send(sender.channel, &link.header, sent), 0);
    run(&receiver);
    assert_int_equal(receiver.messages, 1);
    assert_true(receiver.descriptor >= 0);
    assert_int_equal(fcntl(receiver.descriptor, F_GETFD), FD_CLOEXEC);
    receiver_close(&receiver);
    run(&sender);
    assert_true(sender.closed);
    assert_int_equal(sender.error, 0);
    receiver_close(&sender);
}

/* The supervisor asks nobody who has read what he was sent. */
static void what_the_peer_has_not_read_is_seen(void **state)
{
    struct message_ping message = ping(1);
    struct receiver receiver;
    struct receiver sender;
    int pair[2];

    (void)state;
    assert_int_equal(channel_make_pair(pair), 0);
    receiver_open(&receiver, pair[0], DIRECTION_SUPERVISOR_TO_WATCHER);
    receiver_open(&sender, pair[1], DIRECTION_WATCHER_TO_SUPERVISOR);
    assert_false(channel_has_unread(sender.channel));
    assert_int_equal(channel_send_message(sender.channel, &message), 0);
    assert_true(channel_has_unread(sender.channel));
    assert_false(channel_has_unread(receiver.channel));
    run(&receiver);
    assert_false(channel_has_unread(sender.channel));
    receiver_close(&receiver);
    run(&sender);
    receiver_close(&sender);
}

/* A full state goes into the queue when the peer is slow, and arrives whole and in order. */
static void a_slow_peer_gets_everything_in_order(void **state)
{
    static _Alignas(8)
        uint8_t bytes[sizeof(struct message_exposures) + EXPOSURES_PER_MESSAGE * sizeof(struct wire_exposure)];
    struct message_exposures *items = (struct message_exposures *)bytes;
    struct receiver receiver;
    struct receiver sender;
    int pair[2];

    (void)state;
    items->item_count = EXPOSURES_PER_MESSAGE;
    for (uint32_t i = 0; i < items->item_count; i++)
        items->items[i] = (struct wire_exposure){.family = 4,
                                                 .protocol = IPPROTO_TCP,
                                                 .port_first = 1,
                                                 .port_last = 1,
                                                 .backend_port_first = 1,
                                                 .access = EXPOSURE_OPEN};
    assert_int_equal(channel_make_pair(pair), 0);
    receiver_open(&receiver, pair[0], DIRECTION_WATCHER_TO_NETADMIN);
    receiver_open(&sender, pair[1], DIRECTION_NETADMIN_TO_WATCHER);
    for (uint64_t generation = 1; generation <= 256; generation++) { /* 256 × 512 single ports: two full states */
        items->header = message_header_make(MESSAGE_EXPOSURES_ITEMS, sizeof(bytes), generation);
        assert_int_equal(channel_send(sender.channel, &items->header, -1), 0);
    }
    while (receiver.messages < 256) {
        unsigned int before = receiver.messages;

        run(&sender);
        run(&receiver);
        assert_true(receiver.messages > before);
    }
    assert_true(receiver.in_order);
    receiver_close(&sender);
    receiver_close(&receiver);
}

static void a_peer_that_never_reads_loses_the_connection(void **state)
{
    struct message_ping message = ping(1);
    struct receiver sender;
    int pair[2]; /* the first end is silent */
    int result = 0;

    (void)state;
    assert_int_equal(channel_make_pair(pair), 0);
    receiver_open(&sender, pair[1], DIRECTION_WATCHER_TO_SUPERVISOR);
    for (unsigned int i = 0; i < 2 * CHANNEL_QUEUE_LIMIT / sizeof(message) && result == 0; i++)
        result = channel_send_message(sender.channel, &message);
    assert_int_equal(result, -ENOBUFS);
    assert_false(sender.closed); /* never from inside our own call */
    assert_int_equal(channel_send_message(sender.channel, &message), -EPIPE);
    run(&sender);
    assert_true(sender.closed);
    assert_int_equal(sender.error, -ENOBUFS);
    receiver_close(&sender);
    close_fd(&pair[0]);
}

static void expect_end(const void *bytes, size_t length, const int *descriptors, size_t count, const char *reason)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1};
    struct receiver receiver;
    CLEANUP_FD int hostile = -1;
    int pair[2];

    assert_int_equal(channel_make_pair(pair), 0);
    hostile = pair[1];
    receiver_open(&receiver, pair[0], DIRECTION_SUPERVISOR_TO_WATCHER);
    if (count) {
        datagram.msg_control = control.bytes;
        datagram.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.align = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.align), descriptors, count * sizeof(int));
    }
    assert_int_equal(sendmsg(hostile, &datagram, MSG_NOSIGNAL), (ssize_t)length);
    run(&receiver);
    assert_int_equal(receiver.messages, 0);
    assert_true(receiver.closed);
    assert_int_equal(receiver.error, -EBADMSG);
    assert_string_equal(receiver.reason, reason);
    receiver_close(&receiver);
}

static unsigned int open_descriptors(void)
{
    unsigned int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void a_peer_that_breaks_the_protocol_is_cut_off(void **state)
{
    static uint8_t long_datagram[MESSAGE_LENGTH_MAX + 1];
    struct message_ping message = ping(1);
    const int two[2] = {STDERR_FILENO, STDERR_FILENO};
    unsigned int before = open_descriptors();

    (void)state;
    expect_end("x", 1, NULL, 0, "shorter than a header");
    expect_end(long_datagram, sizeof(long_datagram), NULL, 0, "datagram longer than any message");
    expect_end(&message, sizeof(message), two, 1, "number of descriptors");
    expect_end(&message, sizeof(message), two, 2, "number of descriptors");
    assert_int_equal(open_descriptors(), before); /* surplus descriptors were closed */
}

/* What the protocol lets through and the handler does not name ends the connection, and acts as nothing else. */
static void a_message_without_a_handler_ends_the_connection(void **state)
{
    struct message_link link = {.header = message_header_make(MESSAGE_LINK, sizeof(link), 1),
                                .peer = LINK_PEER_NETADMIN};
    unsigned int before = open_descriptors();
    struct receiver sender, receiver;
    int pair[2];

    (void)state;
    assert_int_equal(channel_make_pair(pair), 0);
    receiver_open(&sender, pair[1], DIRECTION_WATCHER_TO_SUPERVISOR);
    receiver_open(&receiver, pair[0], DIRECTION_SUPERVISOR_TO_WATCHER);
    receiver.refuses = true;
    assert_int_equal(channel_send(sender.channel, &link.header, STDERR_FILENO), 0);
    assert_int_equal(channel_send(sender.channel, &link.header, STDERR_FILENO), 0);
    run(&receiver);
    assert_int_equal(receiver.messages, 1);
    assert_true(receiver.closed);
    assert_int_equal(receiver.error, -EPROTO);
    assert_string_equal(receiver.reason, "no handler for LINK");
    receiver_close(&receiver);
    receiver_close(&sender);
    assert_int_equal(open_descriptors(), before); /* the one that came with it was closed */
}

static void a_handler_may_free_its_channel(void **state)
{
    struct message_ping message = ping(1);
    struct receiver receiver;
    CLEANUP_FD int peer = -1;
    int pair[2];

    (void)state;
    assert_int_equal(channel_make_pair(pair), 0);
    peer = pair[1];
    receiver_open(&receiver, pair[0], DIRECTION_SUPERVISOR_TO_WATCHER);
    receiver.frees_itself = true;
    assert_int_equal(send(peer, &message, sizeof(message), MSG_NOSIGNAL), sizeof(message));
    assert_int_equal(send(peer, &message, sizeof(message), MSG_NOSIGNAL), sizeof(message));
    run(&receiver);
    assert_int_equal(receiver.messages, 1);
    assert_null(receiver.channel);
    receiver_close(&receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_and_descriptors_arrive),
        cmocka_unit_test(what_the_peer_has_not_read_is_seen),
        cmocka_unit_test(a_slow_peer_gets_everything_in_order),
        cmocka_unit_test(a_peer_that_never_reads_loses_the_connection),
        cmocka_unit_test(a_peer_that_breaks_the_protocol_is_cut_off),
        cmocka_unit_test(a_message_without_a_handler_ends_the_connection),
        cmocka_unit_test(a_handler_may_free_its_channel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
