/* Unit tests of what the announcer does when, with the time as a number: plan, defence, questions, states. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "workers/announcer/announcements.h"
#include "workers/announcer/held_state.h"
#include "workers/announcer/probes.h"
#include "workers/neighbours/packet_filter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND      MICROSECONDS_PER_SECOND
#define MILLISECOND MICROSECONDS_PER_MILLISECOND
#define START       (UINT64_C(1000) * SECOND)

static const struct mac_address stranger = {{0x02, 0, 0, 0, 0, 0x66}};
static struct announcements announcements;
static struct held_state held_state;

static struct wire_held held(uint32_t index, uint8_t last_of_mac, const char *text)
{
    struct wire_held result = {.index = index, .name = "eth0", .mac = {{0x02, 0, 0, 0, 0, last_of_mac}}};
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    result.address = wire_address_from(&address);
    return result;
}

static void hold(const struct wire_held *items, size_t count, uint64_t now)
{
    announcements_replace(&announcements, items, count, now);
}

static int forget(void **state)
{
    (void)state;
    announcements.count = 0;
    held_state = (struct held_state){0};
    return 0;
}

/* --- plan (ADDR-12) --- */

static void new_address_is_due_at_once_and_two_seconds_later(void **state)
{
    struct wire_held item = held(2, 1, "10.99.0.50");
    struct announcement *due;

    (void)state;
    assert_true(announcements_next(&announcements) == ANNOUNCEMENT_NEVER);
    hold(&item, 1, START);
    assert_true(announcements_next(&announcements) == START);
    due = announcements_find_due(&announcements, START);
    assert_non_null(due);
    announcement_sent(due, START, 0);
    assert_null(announcements_find_due(&announcements, START));
    assert_true(announcements_next(&announcements) == START + 2 * SECOND);
}

static void repeated_between_60_and_120_seconds_apart(void **state)
{
    static const uint32_t draws[] = {0, 1, 30 * SECOND, 60 * SECOND, 60 * SECOND + 1, UINT32_MAX};
    struct wire_held item = held(2, 1, "fd99::50");
    struct announcement *announcement = &announcements.items[0];
    uint64_t now = START + 2 * SECOND;

    (void)state;
    hold(&item, 1, START);
    announcement_sent(announcement, START, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(draws); i++) {
        announcement_sent(announcement, now, draws[i]);
        assert_true(announcement->due >= now + 60 * SECOND);
        assert_true(announcement->due <= now + 120 * SECOND);
        now = announcement->due;
    }
    announcement_sent(announcement, now, 0);
    assert_true(announcement->due == now + 60 * SECOND);
    announcement_sent(announcement, now, 60 * SECOND);
    assert_true(announcement->due == now + 120 * SECOND);
}

static void unchanged_address_keeps_its_plan(void **state)
{
    struct wire_held items[] = {held(2, 1, "10.99.0.50"), held(2, 1, "10.99.0.51")};

    (void)state;
    hold(items, 1, START);
    announcement_sent(&announcements.items[0], START, 0);
    hold(items, 2, START + SECOND);
    assert_true(announcements.items[0].due == START + 2 * SECOND);
    assert_true(announcements.items[1].due == START + SECOND);
}

static void other_mac_or_interface_is_a_new_address(void **state)
{
    struct wire_held first = held(2, 1, "10.99.0.50");
    struct wire_held other_mac = held(2, 9, "10.99.0.50");
    struct wire_held other_link = held(3, 9, "10.99.0.50");

    (void)state;
    hold(&first, 1, START);
    announcement_sent(&announcements.items[0], START, 0);
    hold(&other_mac, 1, START + SECOND);
    assert_true(announcements_next(&announcements) == START + SECOND);
    announcement_sent(&announcements.items[0], START + SECOND, 0);
    hold(&other_link, 1, START + SECOND);
    assert_true(announcements_next(&announcements) == START + SECOND);
}

static void what_is_gone_is_never_due(void **state)
{
    struct wire_held items[] = {held(2, 1, "10.99.0.50"), held(2, 1, "fd99::50")};

    (void)state;
    hold(items, 2, START);
    hold(&items[1], 1, START);
    assert_int_equal(announcements.count, 1);
    assert_int_equal(announcements.items[0].address.family, IP_FAMILY_6);
    hold(NULL, 0, START);
    assert_null(announcements_find_due(&announcements, UINT64_MAX - 1));
    assert_true(announcements_next(&announcements) == ANNOUNCEMENT_NEVER);
}

static void full_state_and_doubles_fit(void **state)
{
    struct wire_held items[HELD_MAX];
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < HELD_MAX; i++) {
        (void)snprintf(text, sizeof(text), "fd99::%zx", i / 2);
        items[i] = held(2, 1, text);
    }
    hold(items, HELD_MAX, START);
    assert_int_equal(announcements.count, HELD_MAX / 2);
}

/* --- defence (ADDR-13) --- */

static struct mac_address numbered(uint8_t number)
{
    return (struct mac_address){{0x02, 0, 0, 0, 1, number}};
}

static void defended_at_most_every_ten_seconds(void **state)
{
    struct conflict conflict = {0};

    (void)state;
    assert_true(conflict_judge(&conflict, &stranger, START).must_defend);
    assert_false(conflict_judge(&conflict, &stranger, START).must_defend);
    assert_false(conflict_judge(&conflict, &stranger, START + 10 * SECOND - 1).must_defend);
    assert_true(conflict_judge(&conflict, &stranger, START + 10 * SECOND).must_defend);
    assert_false(conflict_judge(&conflict, &stranger, START + 19 * SECOND).must_defend);
}

static void holder_is_logged_once(void **state)
{
    struct conflict conflict = {0};

    (void)state;
    assert_true(conflict_judge(&conflict, &stranger, START).must_log);
    assert_false(conflict_judge(&conflict, &stranger, START + SECOND).must_log);
    assert_false(conflict_judge(&conflict, &stranger, START + 7200 * SECOND).must_log);
}

static void other_holders_are_logged_once_a_minute(void **state)
{
    struct conflict conflict = {0};
    struct conflict_decision decision;
    struct mac_address holder;

    (void)state;
    assert_true(conflict_judge(&conflict, &stranger, START).must_log);
    for (uint8_t i = 0; i < 100; i++) {
        holder = numbered(i);
        assert_false(conflict_judge(&conflict, &holder, START + i).must_log);
    }
    decision = conflict_judge(&conflict, &holder, START + 60 * SECOND);
    assert_true(decision.must_log);
    assert_int_equal(decision.unlogged, 100);
    holder = numbered(200);
    decision = conflict_judge(&conflict, &holder, START + 120 * SECOND);
    assert_true(decision.must_log);
    assert_int_equal(decision.unlogged, 0);
}

static void oldest_holder_is_forgotten_first(void **state)
{
    struct conflict conflict = {0};
    uint64_t now = START;

    (void)state;
    for (uint8_t i = 0; i <= HOLDERS_REMEMBERED; i++, now += 60 * SECOND) {
        struct mac_address holder = numbered(i);

        assert_true(conflict_judge(&conflict, &holder, now).must_log);
    }
    for (uint8_t i = 1; i <= HOLDERS_REMEMBERED; i++) {
        struct mac_address holder = numbered(i);

        assert_false(conflict_judge(&conflict, &holder, now).must_log);
    }
    assert_true(conflict_judge(&conflict, &(struct mac_address){{0x02, 0, 0, 0, 1, 0}}, now).must_log);
}

static void another_holder_is_asked_until_he_is_silent_for_ten_seconds(void **state)
{
    struct contest contest = {0};
    uint64_t now = START;

    (void)state;
    assert_true(contest_next(&contest) == CONTEST_NEVER);
    assert_int_equal(contest_take_turn(&contest, START), CONTEST_REST);
    assert_true(contest_hear(&contest, &stranger, START));
    for (int i = 0; i < 10; i++, now += 2 * SECOND) {
        assert_false(contest_hear(&contest, &stranger, now));
        assert_int_equal(contest_take_turn(&contest, now + 2 * SECOND - 1), CONTEST_REST);
        assert_int_equal(contest_take_turn(&contest, now + 2 * SECOND), CONTEST_ASK);
    }
    for (int i = 0; i < 3; i++, now += 2 * SECOND)
        assert_int_equal(contest_take_turn(&contest, now + 2 * SECOND), CONTEST_ASK);
    assert_int_equal(contest_take_turn(&contest, now + 2 * SECOND), CONTEST_OVER);
    assert_true(mac_address_is_zero(&contest.holder));
    assert_true(contest_next(&contest) == CONTEST_NEVER);
    assert_true(contest_hear(&contest, &stranger, now));
}

static void one_holder_at_a_time_is_followed(void **state)
{
    struct contest contest = {0};
    struct mac_address second = numbered(1);

    (void)state;
    assert_true(contest_hear(&contest, &stranger, START));
    assert_false(contest_hear(&contest, &second, START + 9 * SECOND));
    assert_int_equal(contest_take_turn(&contest, START + 10 * SECOND), CONTEST_OVER);
    assert_true(contest_hear(&contest, &second, START + 10 * SECOND));
    assert_true(mac_address_equal(&contest.holder, &second));
}

static void a_contest_is_due_with_the_announcements_and_ends_with_them(void **state)
{
    struct wire_held one = held(2, 1, "192.0.2.1");

    (void)state;
    announcements_replace(&announcements, &one, 1, START);
    announcement_sent(&announcements.items[0], START, 0);
    announcement_sent(&announcements.items[0], START, 0);
    assert_true(contest_hear(&announcements.items[0].contest, &stranger, START));
    assert_true(announcements_next(&announcements) == START + 2 * SECOND);
    announcements_replace(&announcements, &one, 1, START);
    assert_true(announcements_next(&announcements) == START + 2 * SECOND);
    announcements_replace(&announcements, NULL, 0, START);
    assert_true(announcements_next(&announcements) == ANNOUNCEMENT_NEVER);
}

/* --- questions (GW-1) --- */

static void three_questions_and_the_end_after_200_milliseconds(void **state)
{
    struct message_probe message = {.header.generation = 9, .target = held(2, 1, "172.30.0.2")};
    struct probes probes = {.count = 0};
    struct probe *probe;

    (void)state;
    assert_int_equal(probes_add(&probes, &message, START), 0);
    for (uint64_t when = START; when < START + 180 * MILLISECOND; when += 60 * MILLISECOND) {
        assert_true(probes_next(&probes) == when);
        assert_null(probes_find_due(&probes, when - 1));
        probe = probes_find_due(&probes, when);
        assert_non_null(probe);
        assert_true(probe_takes_turn(probe, when));
    }
    assert_true(probes_next(&probes) == START + 200 * MILLISECOND);
    probe = probes_find_due(&probes, START + 200 * MILLISECOND);
    assert_false(probe_takes_turn(probe, START + 200 * MILLISECOND));
    assert_int_equal(probe->generation, 9);
    probes_remove(&probes, probe);
    assert_true(probes_next(&probes) == PROBE_NEVER);
}

static void sleeping_machine_does_not_prolong_a_question(void **state)
{
    struct message_probe message = {.target = held(2, 1, "172.30.0.2")};
    struct probes probes = {.count = 0};

    (void)state;
    assert_int_equal(probes_add(&probes, &message, START), 0);
    assert_false(probe_takes_turn(&probes.items[0], START + 200 * MILLISECOND));
}

static void questions_are_limited_and_a_repeated_one_begins_anew(void **state)
{
    struct message_probe message;
    struct probes probes = {.count = 0};
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    for (int i = 0; i <= PROBES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "172.30.0.%d", i + 1);
        message = (struct message_probe){.target = held(2, 1, text)};
        assert_int_equal(probes_add(&probes, &message, START), i == PROBES_MAX ? -ENOSPC : 0);
    }
    message.target = held(2, 1, "172.30.0.3");
    assert_int_equal(probes_add(&probes, &message, START + SECOND), 0);
    assert_int_equal(probes.count, PROBES_MAX);
    assert_true(probes.items[2].due == START + SECOND);
}

/* --- states --- */

static void send_items(uint64_t generation, uint32_t count, int expected)
{
    struct message_held *message = calloc(1, sizeof(*message) + count * sizeof(message->items[0]));

    assert_non_null(message);
    message->header.generation = generation;
    message->item_count = count;
    for (uint32_t i = 0; i < count; i++)
        message->items[i] = held(2, 1, "10.99.0.50");
    assert_int_equal(held_state_add(&held_state, message), expected);
    free(message);
}

static int commit(uint64_t generation, uint32_t count)
{
    struct message_commit message = {.header.generation = generation, .item_count = count};

    return held_state_commit(&held_state, &message);
}

static void complete_state_is_taken(void **state)
{
    (void)state;
    held_state_begin(&held_state, 4);
    send_items(4, 3, 0);
    send_items(4, 2, 0);
    assert_int_equal(commit(4, 5), 0);
    assert_int_equal(held_state.count, 5);
    held_state_begin(&held_state, 5);
    assert_int_equal(commit(5, 0), 0);
    assert_int_equal(held_state.count, 0);
}

static void incomplete_state_is_refused(void **state)
{
    (void)state;
    send_items(1, 1, -EPROTO);
    assert_int_equal(commit(1, 0), -EPROTO);
    held_state_begin(&held_state, 1);
    send_items(2, 1, -EPROTO);
    send_items(1, 2, 0);
    assert_int_equal(commit(1, 1), -EPROTO);
    assert_int_equal(commit(1, 2), -EPROTO); /* dropped by then */
    held_state_begin(&held_state, 1);
    assert_int_equal(commit(2, 0), -EPROTO);
}

static void more_than_the_limit_is_counted_and_dropped(void **state)
{
    (void)state;
    held_state_begin(&held_state, 1);
    for (uint32_t sent = 0; sent < HELD_MAX; sent += HELD_PER_MESSAGE)
        send_items(1, HELD_PER_MESSAGE, 0);
    send_items(1, 1, 0);
    assert_int_equal(commit(1, HELD_MAX + 1), 0);
    assert_int_equal(held_state.count, HELD_MAX);
}

/* --- filters: what the kernel's checker demands (net/core/filter.c), and that they fit it --- */

static void assert_jumps_stay_inside(const struct packet_filter *filter)
{
    for (unsigned short i = 0; i < filter->length; i++) {
        const struct sock_filter *instruction = &filter->instructions[i];

        if (BPF_CLASS(instruction->code) == BPF_JMP) {
            assert_true(i + 1 + instruction->jt < filter->length);
            assert_true(i + 1 + instruction->jf < filter->length);
        }
    }
    assert_int_equal(BPF_CLASS(filter->instructions[filter->length - 1].code), BPF_RET);
}

static void filters_fit_at_their_limit(void **state)
{
    static struct ip_address addresses[PACKET_FILTER_ADDRESSES_MAX + 1];
    static struct packet_filter filter;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++)
        addresses[i] =
            (struct ip_address){.family = IP_FAMILY_6, .bytes = {[14] = (uint8_t)(i >> 8), [15] = (uint8_t)i}};
    packet_filter_make_neighbour(addresses, ARRAY_LENGTH(addresses), &filter);
    assert_in_range(filter.length, 1, BPF_MAXINSNS);
    assert_in_range(filter.length, 1, PACKET_FILTER_SIZE);
    assert_jumps_stay_inside(&filter);
    packet_filter_make_arp(addresses, ARRAY_LENGTH(addresses), &filter);
    assert_int_equal(filter.length, 10); /* none of IPv4: the preamble and a drop */
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++)
        addresses[i].family = IP_FAMILY_4;
    packet_filter_make_arp(addresses, ARRAY_LENGTH(addresses), &filter);
    assert_int_equal(filter.length, 10 + 2 * PACKET_FILTER_ADDRESSES_MAX);
    assert_jumps_stay_inside(&filter);
    packet_filter_make_neighbour(NULL, 0, &filter);
    assert_int_equal(filter.length, 4); /* routers alone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(new_address_is_due_at_once_and_two_seconds_later, forget),
        cmocka_unit_test_setup(repeated_between_60_and_120_seconds_apart, forget),
        cmocka_unit_test_setup(unchanged_address_keeps_its_plan, forget),
        cmocka_unit_test_setup(other_mac_or_interface_is_a_new_address, forget),
        cmocka_unit_test_setup(what_is_gone_is_never_due, forget),
        cmocka_unit_test_setup(full_state_and_doubles_fit, forget),
        cmocka_unit_test(defended_at_most_every_ten_seconds),
        cmocka_unit_test(holder_is_logged_once),
        cmocka_unit_test(other_holders_are_logged_once_a_minute),
        cmocka_unit_test(oldest_holder_is_forgotten_first),
        cmocka_unit_test(another_holder_is_asked_until_he_is_silent_for_ten_seconds),
        cmocka_unit_test(one_holder_at_a_time_is_followed),
        cmocka_unit_test_setup(a_contest_is_due_with_the_announcements_and_ends_with_them, forget),
        cmocka_unit_test(three_questions_and_the_end_after_200_milliseconds),
        cmocka_unit_test(sleeping_machine_does_not_prolong_a_question),
        cmocka_unit_test(questions_are_limited_and_a_repeated_one_begins_anew),
        cmocka_unit_test_setup(complete_state_is_taken, forget),
        cmocka_unit_test_setup(incomplete_state_is_refused, forget),
        cmocka_unit_test_setup(more_than_the_limit_is_counted_and_dropped, forget),
        cmocka_unit_test(filters_fit_at_their_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
