/* Unit tests of protocol/upkeep, in the loop that workers run (supervised.h). */
#include "protocol/upkeep.h"

#include "common/clock.h"
#include "common/log.h"
#include "protocol/event_loop.h"
#include "protocol/supervised.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

static time_t seconds_to_alarm(void)
{
    struct itimerval timer;

    assert_int_equal(getitimer(ITIMER_REAL, &timer), 0);
    return timer.it_value.tv_sec + (timer.it_value.tv_usec > 0);
}

static int on_work(sd_event_source *source, void *userdata)
{
    time_t *ret = userdata;

    *ret = seconds_to_alarm();
    return sd_event_exit(sd_event_source_get_event(source), 7);
}

static void work_has_a_limit_and_sleep_has_none(void **state)
{
    CLEANUP(event_loop_unrefp) sd_event *event = NULL;
    time_t at_work = 0;

    (void)state;
    assert_int_equal(event_loop_new(&event), 0);
    assert_true(sd_event_add_defer(event, NULL, on_work, &at_work) >= 0);
    assert_int_equal(supervised_loop(event), 7);
    assert_int_equal(at_work, UPKEEP_WORK_LIMIT);
    assert_int_equal(upkeep_before_sleep(), UINT64_MAX);
    assert_int_equal(seconds_to_alarm(), 0);
}

/* A busy process does not ask the kernel for each event. */
static void of_many_events_the_alarm_is_set_once(void **state)
{
    const struct itimerval later = {.it_value.tv_sec = UPKEEP_WORK_LIMIT - 1};

    (void)state;
    (void)upkeep_before_sleep();
    upkeep_before_work();
    assert_int_equal(setitimer(ITIMER_REAL, &later, NULL), 0);
    upkeep_before_work();
    assert_int_equal(seconds_to_alarm(), UPKEEP_WORK_LIMIT - 1);
    (void)upkeep_before_sleep();
    upkeep_before_work();
    assert_int_equal(seconds_to_alarm(), UPKEEP_WORK_LIMIT);
    (void)upkeep_before_sleep();
}

/* The limit itself is long: what is left of it is cut short here. */
_Noreturn static void hang(void)
{
    const struct itimerval soon = {.it_value.tv_usec = 1000};

    if (sandbox_block_stop_signals() < 0)
        _exit(EXIT_STATUS_SANDBOX);
    upkeep_before_work();
    (void)setitimer(ITIMER_REAL, &soon, NULL);
    for (;;)
        (void)pause();
}

static void who_does_not_come_back_is_ended(void **state)
{
    int status = 0;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        hang();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGALRM);
}

static void what_was_left_out_is_said_in_time(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        log_warn("a line that comes too often");
    assert_true(log_has_left_out());
    assert_in_range(upkeep_before_sleep(), 1, 5 * MICROSECONDS_PER_SECOND);
    assert_true(log_has_left_out());
    log_tell_left_out();
    assert_false(log_has_left_out());
    assert_int_equal(upkeep_before_sleep(), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_has_a_limit_and_sleep_has_none),
        cmocka_unit_test(of_many_events_the_alarm_is_set_once),
        cmocka_unit_test(who_does_not_come_back_is_ended),
        cmocka_unit_test(what_was_left_out_is_said_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
