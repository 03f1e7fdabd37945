/* Unit tests of daemon/supervise/restart_policy with a clock of their own (DESIGN §2). */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/sandbox.h"
#include "daemon/supervise/restart_policy.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

/* One life of `seconds`; returns the delay before the next one, in seconds, and advances the clock over both. */
static uint64_t live_and_die(struct restart_policy *policy, uint64_t *now, uint64_t seconds)
{
    uint64_t delay;

    restart_policy_started(policy, *now);
    *now += seconds * MICROSECONDS_PER_SECOND;
    delay = restart_policy_next_delay(policy, *now);
    *now += delay;
    assert_int_equal(delay % MICROSECONDS_PER_SECOND, 0);
    return delay / MICROSECONDS_PER_SECOND;
}

static void doubles_up_to_a_minute(void **state)
{
    static const uint64_t expected[] = {0, 1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct restart_policy policy = {0};
    uint64_t now = 1000 * MICROSECONDS_PER_SECOND;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
        assert_int_equal(live_and_die(&policy, &now, 0), expected[i]);
}

/* ADDR-6: ANCHORD_DHCP_BACKOFF_MAX, above and below a minute. */
static void doubles_up_to_another_limit(void **state)
{
    static const uint64_t expected[] = {0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
    struct restart_policy policy = {.longest_delay = 300 * MICROSECONDS_PER_SECOND};
    struct restart_policy short_policy = {.longest_delay = 3 * MICROSECONDS_PER_SECOND};
    uint64_t now = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
        assert_int_equal(live_and_die(&policy, &now, 0), expected[i]);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(live_and_die(&short_policy, &now, 0), expected[i < 3 ? i : 2] + (i >= 3));
}

static void a_minute_of_life_heals(void **state)
{
    struct restart_policy policy = {0};
    uint64_t now = 0;

    (void)state;
    for (int i = 0; i < 20; i++)
        (void)live_and_die(&policy, &now, 1);
    assert_int_equal(live_and_die(&policy, &now, 59), 60);
    assert_int_equal(live_and_die(&policy, &now, 60), 0);
    assert_int_equal(live_and_die(&policy, &now, 0), 1);
    assert_int_equal(live_and_die(&policy, &now, 0), 2);
}

static void configuration_and_privileges_are_permanent(void **state)
{
    (void)state;
    assert_true(restart_policy_exit_is_permanent(CLD_EXITED, EXIT_STATUS_CONFIGURATION));
    assert_true(restart_policy_exit_is_permanent(CLD_EXITED, EXIT_STATUS_SANDBOX));
    assert_false(restart_policy_exit_is_permanent(CLD_EXITED, EXIT_STATUS_CLEAN));
    assert_false(restart_policy_exit_is_permanent(CLD_EXITED, EXIT_STATUS_CRASH));
    /* SIGHUP is 1, SIGQUIT is 3: signals are no exit statuses. */
    assert_false(restart_policy_exit_is_permanent(CLD_KILLED, SIGHUP));
    assert_false(restart_policy_exit_is_permanent(CLD_DUMPED, SIGQUIT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_a_minute),
        cmocka_unit_test(doubles_up_to_another_limit),
        cmocka_unit_test(a_minute_of_life_heals),
        cmocka_unit_test(configuration_and_privileges_are_permanent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
