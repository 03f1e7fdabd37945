/*
 * Unit tests of the containers to ask about again: events that come before their effect are confirmed (DISC-6), and the
 * number that waits is limited.
 */
#include "workers/watcher/changes.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define START UINT64_C(1000000)

static struct changes changes;
static struct change taken[CHANGES_MAX];

static int forget(void **state)
{
    (void)state;
    memset(&changes, 0, sizeof(changes));
    return 0;
}

static void an_event_is_due_at_once_and_confirmed_three_times_within_five_seconds(void **state)
{
    uint64_t now = START;

    (void)state;
    assert_int_equal(changes_note(&changes, "aa", 7, now), 0);
    for (int check = 0; check < 4; check++) {
        assert_true(changes_next_due(&changes) < UINT64_MAX);
        assert_true(check == 0 || changes_next_due(&changes) > now);
        now = changes_next_due(&changes);
        assert_int_equal(changes_take(&changes, now - 1, taken, 1), 0);
        assert_int_equal(changes_take(&changes, now, taken, 1), 1);
        assert_string_equal(taken[0].id, "aa");
        assert_int_equal(taken[0].event_time, 7);
        assert_false(changes_contain(&changes, "aa"));
        changes_put_back(&changes, taken, 1, now);
    }
    assert_true(now - START < 5 * MICROSECONDS_PER_SECOND);
    assert_int_equal(changes_next_due(&changes), UINT64_MAX);
}

static void events_of_one_container_are_one_question_with_the_earliest_time(void **state)
{
    (void)state;
    assert_int_equal(changes_note(&changes, "aa", 0, START), 0);
    assert_int_equal(changes_note(&changes, "aa", 9, START), 0);
    assert_int_equal(changes_note(&changes, "aa", 5, START), 0);
    assert_int_equal(changes_note(&changes, "bb", 8, START), 0);
    assert_int_equal(changes_take(&changes, START, taken, CHANGES_MAX), 2);
    assert_int_equal(taken[0].event_time, 5);
}

static void another_event_starts_anew(void **state)
{
    (void)state;
    assert_int_equal(changes_note(&changes, "aa", 5, START), 0);
    assert_int_equal(changes_take(&changes, START, taken, 1), 1);
    changes_put_back(&changes, taken, 1, START);
    assert_int_equal(changes_note(&changes, "aa", 9, START + 1), 0);
    assert_int_equal(changes.count, 1);
    assert_int_equal(changes_take(&changes, START + 1, taken, 1), 1);
    assert_int_equal(taken[0].event_time, 9);
    assert_int_equal(taken[0].checks, 0);
    /* While it was asked for, another event came: that one counts. */
    assert_int_equal(changes_note(&changes, "aa", 11, START + 2), 0);
    changes_put_back(&changes, taken, 1, START + 2);
    assert_int_equal(changes.count, 1);
    assert_int_equal(changes_next_due(&changes), START + 2);
}

static void the_number_that_waits_is_limited(void **state)
{
    char id[DOCKER_ID_SIZE];

    (void)state;
    for (unsigned int i = 0; i < CHANGES_MAX; i++) {
        (void)snprintf(id, sizeof(id), "%x", i);
        assert_int_equal(changes_note(&changes, id, 1, START), 0);
    }
    assert_int_equal(changes_note(&changes, "one too many", 1, START), -ENOSPC);
    assert_int_equal(changes_note(&changes, "0", 1, START), 0);
    assert_int_equal(changes_take(&changes, START, taken, 64), 64);
    assert_int_equal(changes.count, CHANGES_MAX - 64);
    assert_string_equal(taken[63].id, "3f");
    assert_string_equal(changes.items[0].id, "40");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_event_is_due_at_once_and_confirmed_three_times_within_five_seconds, forget),
        cmocka_unit_test_setup(events_of_one_container_are_one_question_with_the_earliest_time, forget),
        cmocka_unit_test_setup(another_event_starts_anew, forget),
        cmocka_unit_test_setup(the_number_that_waits_is_limited, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
