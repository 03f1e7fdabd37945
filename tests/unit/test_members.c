/*
 * Unit tests of the containers in scope of an attached project: when a namespace is asked for, again, and left,
 * whatever order the two streams of events come in (HOST-4).
 */
#include "workers/watcher/members.h"

#include "common/clock.h"
#include "common/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MS MICROSECONDS_PER_MILLISECOND

static struct members members;
static uint64_t now;
static size_t left_count;

static int reset(void **state)
{
    (void)state;
    members_release(&members);
    memset(&members, 0, sizeof(members));
    now = 1000 * MS;
    left_count = 0;
    return 0;
}

static void on_left(void *userdata, const struct member *member)
{
    (void)userdata;
    (void)member;
    left_count++;
}

static void put(const char *id, bool is_running, bool is_in_host_network)
{
    static struct docker_container container;

    container = (struct docker_container){.is_running = is_running, .is_in_host_network = is_in_host_network};
    text_copy_cut(container.id, sizeof(container.id), id);
    assert_true(members_put(&members, &container, now) >= 0);
}

static struct member *created(const char *id)
{
    assert_int_equal(members_note_created(&members, id, now), 0);
    return members_find(&members, id);
}

/* It is asked for now. */
static void assert_asked(const char *id)
{
    const struct member *member = members_take(&members, now);

    assert_non_null(member);
    assert_string_equal(member->id, id);
    assert_null(members_take(&members, now));
}

static void assert_not_asked(void)
{
    assert_null(members_take(&members, now));
}

static bool answer(const char *id, int error)
{
    struct message_namespace_answer message = {.error = error};

    message.header.generation = members_find(&members, id)->generation;
    text_copy_cut(message.id, sizeof(message.id), id);
    text_copy_cut(message.reason, sizeof(message.reason), error ? "no process" : "");
    return members_take_answer(&members, &message, now);
}

static void it_is_asked_for_again_until_the_process_is_there(void **state)
{
    struct member *member = created("a");
    static const uint64_t delays[] = {5 * MS, 10 * MS, 20 * MS, 20 * MS};

    (void)state;
    assert_not_asked();
    members_note_connect(member, 100, now);
    assert_asked("a");
    for (size_t i = 0; i < ARRAY_LENGTH(delays); i++) {
        assert_false(answer("a", -ESRCH));
        assert_int_equal(members_next_due(&members), now + delays[i]);
        now += delays[i] - 1;
        assert_not_asked();
        now++;
        assert_asked("a");
    }
    assert_false(answer("a", 0));
    assert_int_equal(members_next_due(&members), UINT64_MAX);
    assert_false(member_is_refused(member)); /* it has not started: that was ordinary */
    members_note_start(member, 200, now);
    assert_asked("a");
    assert_false(answer("a", 0));
}

static void what_is_not_started_is_given_up(void **state)
{
    struct member *member = created("a");

    (void)state;
    members_note_connect(member, 100, now);
    assert_asked("a");
    assert_false(answer("a", -ESRCH));
    now += 30 * MICROSECONDS_PER_SECOND;
    assert_not_asked();
    assert_int_equal(members_next_due(&members), UINT64_MAX);
}

/* Of two streams the other one's `die` may be read after the `network connect` of the next life. */
static void an_end_of_the_last_life_is_none(void **state)
{
    struct member *member = created("a");

    (void)state;
    members_note_start(member, 100, now);
    assert_asked("a");
    assert_false(answer("a", 0));
    members_note_connect(member, 300, now);
    assert_asked("a");
    assert_false(members_note_end(member, 200));
    assert_false(answer("a", 0));
    assert_true(member->is_running);
    assert_true(members_note_end(member, 301));
    assert_false(member->is_running);
    assert_false(members_note_end(member, 302)); /* `destroy` follows `die` */
}

/* A list that was made before the container was connected knows nothing of it. */
static void what_comes_during_a_pass_outlives_it(void **state)
{
    struct member *member;

    (void)state;
    now += MICROSECONDS_PER_SECOND;
    members_begin_pass(&members, now);
    member = created("a");
    members_note_connect(member, 100, now);
    assert_asked("a");
    members_end_pass(&members, on_left, NULL);
    assert_int_equal(left_count, 0);
    assert_non_null(members_find(&members, "a"));
    members_begin_pass(&members, now + 1);
    members_end_pass(&members, on_left, NULL);
    assert_int_equal(left_count, 1);
    assert_null(members_find(&members, "a"));
}

/* And its own `network connect` after its `die`. */
static void a_connection_of_the_last_life_is_none(void **state)
{
    struct member *member = created("a");

    (void)state;
    members_note_start(member, 200, now);
    assert_asked("a");
    assert_true(members_note_end(member, 300));
    members_note_connect(member, 299, now);
    assert_not_asked();
    members_note_connect(member, 300, now);
    assert_asked("a");
}

/* Of two streams its `network connect` may be read before its `create`, and before a list that has it; so are those of
 * strangers. */
static void a_connection_before_the_creation_counts(void **state)
{
    char stranger[] = "s0";

    (void)state;
    for (size_t i = 0; i < EARLY_CONNECTS_MAX; i++) {
        stranger[1] = (char)('A' + i);
        members_note_early_connect(&members, stranger, 90);
    }
    members_note_early_connect(&members, "a", 100);
    assert_not_asked();
    assert_int_equal(members_note_created(&members, "a", now), 1);
    assert_asked("a");
    assert_int_equal(members_note_created(&members, "b", now), 0);
    assert_int_equal(members_note_created(&members, "sA", now), 0); /* the oldest one gave its place */
    assert_int_equal(members_note_created(&members, "a", now), 0);
    assert_not_asked();
    members_note_early_connect(&members, "c", 100);
    members_begin_pass(&members, now);
    put("c", false, false);
    members_end_pass_for(&members, "c", on_left, NULL);
    assert_asked("c");
    assert_int_equal(left_count, 0);
    members_note_early_connect(&members, "d", 100);
    put("d", true, true); /* it is in the host's network */
    assert_not_asked();
}

/* As a stream tells it that begins anew, since one network more is followed. */
static void a_connection_that_is_told_again_is_none(void **state)
{
    struct member *member = created("a");

    (void)state;
    members_note_connect(member, 100, now);
    assert_asked("a");
    members_note_connect(member, 100, now);
    assert_not_asked();
    members_note_connect(member, 101, now); /* to another network */
    assert_asked("a");
    members_note_connect(member, 0, now); /* nobody knows which one */
    assert_asked("a");
}

static void an_answer_to_an_old_question_is_none(void **state)
{
    struct member *member = created("a");
    struct message_namespace_answer old = {.error = 0};

    (void)state;
    members_note_connect(member, 100, now);
    assert_asked("a");
    old.header.generation = member->generation;
    text_copy_cut(old.id, sizeof(old.id), "a");
    members_note_start(member, 200, now);
    assert_asked("a");
    assert_false(members_take_answer(&members, &old, now));
    assert_false(answer("a", -ESRCH)); /* still waits for its own */
    text_copy_cut(old.id, sizeof(old.id), "b");
    assert_false(members_take_answer(&members, &old, now));
}

static void a_refusal_of_one_that_runs_is_told_once_and_its_end(void **state)
{
    struct member *member = created("a");
    unsigned int told = 0;

    (void)state;
    members_note_start(member, 100, now);
    for (size_t i = 0; i < 20; i++) {
        assert_asked("a");
        told += answer("a", -ENOSPC);
        assert_int_equal(member_is_refused(member), i >= 3);
        assert_true(members_next_due(&members) - now <= 10 * MICROSECONDS_PER_SECOND);
        now = members_next_due(&members);
    }
    assert_int_equal(told, 1);
    assert_string_equal(member->reason, "no process");
    assert_asked("a");
    assert_true(answer("a", 0));
    assert_false(member_is_refused(member));
}

static void lists_find_what_events_missed(void **state)
{
    (void)state;
    members_begin_pass(&members, now++);
    put("a", true, false);
    put("b", false, false);
    put("c", true, true);
    members_end_pass(&members, on_left, NULL);
    assert_asked("a"); /* neither the one that does not run, nor the one in the host's namespace */
    assert_false(answer("a", 0));
    members_begin_pass(&members, now++);
    put("a", true, false);
    put("b", true, false);
    members_end_pass(&members, on_left, NULL);
    assert_asked("b");
    assert_int_equal(left_count, 0);
    assert_null(members_find(&members, "c"));
    members_begin_pass(&members, now++);
    put("a", false, false); /* it has ended */
    members_end_pass_for(&members, "a", on_left, NULL);
    members_end_pass_for(&members, "b", on_left, NULL); /* it is gone; what is told of it may still be to be read */
    assert_int_equal(left_count, 2);
    assert_non_null(members_find(&members, "b"));
    assert_non_null(members_find(&members, "a"));
    members_want_all(&members, now);
    assert_not_asked();
    members_begin_pass(&members, now++);
    members_end_pass(&members, on_left, NULL);
    assert_int_equal(left_count, 2);
    assert_null(members_find(&members, "b"));
}

/* A list may have been made before what was heard since it was asked for. */
static void a_list_does_not_end_what_has_started_since(void **state)
{
    struct member *member = created("a");

    (void)state;
    members_begin_pass(&members, now++);
    members_note_connect(member, 100, now);
    put("a", false, false);
    members_end_pass(&members, on_left, NULL);
    assert_asked("a");
    members_begin_pass(&members, now++);
    members_note_start(member, 200, now);
    put("a", false, false);
    members_end_pass(&members, on_left, NULL);
    assert_int_equal(left_count, 0);
    assert_true(member->is_running);
    assert_asked("a");
    members_begin_pass(&members, now++);
    members_keep(&members, "a"); /* cannot be read just now */
    members_end_pass(&members, on_left, NULL);
    assert_int_equal(left_count, 0);
    members_begin_pass(&members, now++);
    put("a", false, false);
    members_end_pass(&members, on_left, NULL);
    assert_int_equal(left_count, 1);
}

static void another_host_half_is_asked_for_everything(void **state)
{
    struct member *member = created("a");

    (void)state;
    created("b");
    members_note_start(member, 100, now);
    assert_asked("a");
    assert_false(answer("a", 0));
    members_want_all(&members, now);
    assert_asked("a");
    members_note_connect(members_find(&members, "b"), 100, now);
    members_want_all(&members, now);
    assert_non_null(members_take(&members, now));
    assert_non_null(members_take(&members, now));
    assert_not_asked();
}

/* The same answer again, an end without a time or at the time of the start, a network more while an answer is awaited,
 * a wish that has run out. */
static void limits_of_times_and_answers(void **state)
{
    struct member *member = created("a");

    (void)state;
    members_note_start(member, 100, now);
    assert_asked("a");
    members_note_connect(member, 101, now); /* what is under way sees it, too */
    assert_not_asked();
    assert_false(answer("a", 0));
    assert_false(answer("a", -ESRCH));
    assert_int_equal(members_next_due(&members), UINT64_MAX);
    assert_true(members_note_end(member, 101));
    members_note_start(member, 200, now);
    assert_true(members_note_end(member, 0));
    members_note_connect(member, 300, now);
    assert_asked("a");
    now += 30 * MICROSECONDS_PER_SECOND;
    members_want_all(&members, now);
    assert_not_asked();
    members_begin_pass(&members, now);
    put("a", false, false);
    members_end_pass(&members, on_left, NULL); /* its time is up */
    assert_int_equal(left_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_asked_for_again_until_the_process_is_there, reset, reset),
        cmocka_unit_test_setup_teardown(what_is_not_started_is_given_up, reset, reset),
        cmocka_unit_test_setup_teardown(an_end_of_the_last_life_is_none, reset, reset),
        cmocka_unit_test_setup_teardown(a_connection_of_the_last_life_is_none, reset, reset),
        cmocka_unit_test_setup_teardown(a_connection_before_the_creation_counts, reset, reset),
        cmocka_unit_test_setup_teardown(a_connection_that_is_told_again_is_none, reset, reset),
        cmocka_unit_test_setup_teardown(what_comes_during_a_pass_outlives_it, reset, reset),
        cmocka_unit_test_setup_teardown(an_answer_to_an_old_question_is_none, reset, reset),
        cmocka_unit_test_setup_teardown(a_refusal_of_one_that_runs_is_told_once_and_its_end, reset, reset),
        cmocka_unit_test_setup_teardown(lists_find_what_events_missed, reset, reset),
        cmocka_unit_test_setup_teardown(a_list_does_not_end_what_has_started_since, reset, reset),
        cmocka_unit_test_setup_teardown(limits_of_times_and_answers, reset, reset),
        cmocka_unit_test_setup_teardown(another_host_half_is_asked_for_everything, reset, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
