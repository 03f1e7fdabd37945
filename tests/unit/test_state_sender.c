/* Unit tests of protocol/state_sender: how a state is cut into messages, and that all of it arrives in order. */
#include "protocol/state_sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define GENERATION UINT64_C(7)
#define PORTS_MAX  1100

static const struct state_form form = {MESSAGE_EXPOSURES_BEGIN, MESSAGE_EXPOSURES_ITEMS, MESSAGE_EXPOSURES_COMMIT,
                                       EXPOSURES_PER_MESSAGE, sizeof(struct wire_exposure)};

struct lab {
    sd_event *event;
    struct channel *channel;
    int peer;
    struct wire_exposure sent[PORTS_MAX];
};

static void nothing(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    (void)channel;
    (void)message;
    (void)descriptor;
    (void)userdata;
}

static void closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    (void)error;
    (void)reason;
    (void)userdata;
}

static int set_up(void **state)
{
    static struct lab lab;
    const struct channel_callbacks callbacks = {nothing, closed, NULL};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_true(sd_event_new(&lab.event) >= 0);
    assert_int_equal(channel_new(lab.event, fds[0], DIRECTION_NETADMIN_TO_WATCHER, &callbacks, &lab.channel), 0);
    lab.peer = fds[1];
    for (size_t i = 0; i < PORTS_MAX; i++)
        lab.sent[i] = (struct wire_exposure){.port_first = (uint16_t)(i + 1)};
    *state = &lab;
    return 0;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;

    (void)channel_free(lab->channel);
    close_fd(&lab->peer);
    (void)sd_event_unref(lab->event);
    return 0;
}

/* The next message, which must be of `type` and of the generation; returns its length. */
static size_t take(const struct lab *lab, uint16_t type, void *ret)
{
    const struct message_header *header = ret;
    ssize_t length = recv(lab->peer, ret, MESSAGE_LENGTH_MAX, 0);

    assert_true(length >= (ssize_t)sizeof(*header));
    assert_int_equal(header->type, type);
    assert_int_equal(header->generation, GENERATION);
    assert_int_equal(header->length, length);
    return (size_t)length;
}

/* Reads ITEMS with `count` exposures, of which the first has the port `first`. */
static void expect_items(const struct lab *lab, size_t first, size_t count)
{
    _Alignas(8) uint8_t bytes[MESSAGE_LENGTH_MAX];
    const struct message_exposures *items = (const struct message_exposures *)bytes;
    size_t length = take(lab, MESSAGE_EXPOSURES_ITEMS, bytes);

    assert_int_equal(length, sizeof(*items) + count * sizeof(items->items[0]));
    assert_int_equal(items->item_count, count);
    assert_memory_equal(items->items, &lab->sent[first - 1], count * sizeof(items->items[0]));
}

static void expect_end(const struct lab *lab, size_t count)
{
    _Alignas(8) uint8_t bytes[MESSAGE_LENGTH_MAX];
    const struct message_commit *commit = (const struct message_commit *)bytes;

    (void)take(lab, MESSAGE_EXPOSURES_COMMIT, bytes);
    assert_int_equal(commit->item_count, count);
    assert_int_equal(recv(lab->peer, bytes, sizeof(bytes), 0), -1);
}

static void expect_begin(const struct lab *lab)
{
    _Alignas(8) uint8_t bytes[MESSAGE_LENGTH_MAX];

    assert_int_equal(take(lab, MESSAGE_EXPOSURES_BEGIN, bytes), sizeof(struct message_begin));
}

static void empty_state_is_begin_and_commit(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(state_sender_send(lab->channel, &form, GENERATION, NULL, 0), 0);
    expect_begin(lab);
    expect_end(lab, 0);
}

static void full_message_is_one_message(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(state_sender_send(lab->channel, &form, GENERATION, lab->sent, EXPOSURES_PER_MESSAGE), 0);
    expect_begin(lab);
    expect_items(lab, 1, EXPOSURES_PER_MESSAGE);
    expect_end(lab, EXPOSURES_PER_MESSAGE);
}

static void more_is_cut_and_arrives_in_order(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(state_sender_send(lab->channel, &form, GENERATION, lab->sent, PORTS_MAX), 0);
    expect_begin(lab);
    expect_items(lab, 1, EXPOSURES_PER_MESSAGE);
    expect_items(lab, 1 + EXPOSURES_PER_MESSAGE, EXPOSURES_PER_MESSAGE);
    expect_items(lab, 1 + 2 * EXPOSURES_PER_MESSAGE, PORTS_MAX - 2 * EXPOSURES_PER_MESSAGE);
    expect_end(lab, PORTS_MAX);
}

static void parts_are_one_state(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(state_sender_begin(lab->channel, &form, GENERATION), 0);
    assert_int_equal(state_sender_add(lab->channel, &form, GENERATION, lab->sent, 2), 0);
    assert_int_equal(state_sender_add(lab->channel, &form, GENERATION, &lab->sent[2], 1), 0);
    assert_int_equal(state_sender_commit(lab->channel, &form, GENERATION, 3), 0);
    expect_begin(lab);
    expect_items(lab, 1, 2);
    expect_items(lab, 3, 1);
    expect_end(lab, 3);
}

static void peer_that_is_gone_is_an_error_at_once(void **state)
{
    struct lab *lab = *state;

    close_fd(&lab->peer);
    assert_true(state_sender_send(lab->channel, &form, GENERATION, lab->sent, 1) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_state_is_begin_and_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_message_is_one_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_is_cut_and_arrives_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_are_one_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(peer_that_is_gone_is_an_error_at_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
