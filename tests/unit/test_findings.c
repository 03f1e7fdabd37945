/* Unit tests of how many findings are told (SPEC §9): FINDINGS_MAX, and one more. */
#include "workers/watcher/findings.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct watch_absence readable; /* Docker can be read */
static const struct external_advice nothing_wrong;

struct told {
    size_t count;
    uint16_t last_port;
};

static int count_one(void *userdata, const struct wire_finding *finding)
{
    struct told *told = userdata;

    told->count++;
    told->last_port = finding->port_first;
    return 0;
}

static struct told tell_conflicts(size_t count)
{
    static struct exposure_conflict conflicts[FINDINGS_MAX + 1];
    const struct container_table table = {0};
    const struct exposure_result computed = {.conflicts = conflicts, .conflict_count = count};
    CLEANUP(path_survey_freep) struct path_survey *survey = NULL;
    struct told told = {0};

    for (size_t i = 0; i < count; i++)
        conflicts[i] = (struct exposure_conflict){2, 1, IPPROTO_TCP, (uint16_t)(i + 1), (uint16_t)(i + 1)};
    assert_int_equal(path_survey_new(&survey), 0);
    assert_int_equal(findings_tell(&table, &computed, survey, &readable, &nothing_wrong, count_one, &told), 0);
    return told;
}

static void as_many_as_fit_are_told(void **state)
{
    const struct told told = tell_conflicts(FINDINGS_MAX);

    (void)state;
    assert_int_equal(told.count, FINDINGS_MAX);
    assert_int_equal(told.last_port, FINDINGS_MAX);
}

static void one_more_is_the_end_of_the_list(void **state)
{
    const struct told told = tell_conflicts(FINDINGS_MAX + 1);

    (void)state;
    assert_int_equal(told.count, FINDINGS_MAX);
    assert_int_equal(told.last_port, FINDINGS_MAX);
}

static int refuse(void *userdata, const struct wire_finding *finding)
{
    (void)userdata;
    (void)finding;
    return -EPIPE;
}

static void a_handler_ends_the_telling(void **state)
{
    const struct exposure_conflict conflicts[2] = {{2, 1, IPPROTO_TCP, 1, 1}, {2, 1, IPPROTO_TCP, 2, 2}};
    const struct container_table table = {0};
    const struct exposure_result computed = {.conflicts = conflicts, .conflict_count = 2};
    CLEANUP(path_survey_freep) struct path_survey *survey = NULL;

    (void)state;
    assert_int_equal(path_survey_new(&survey), 0);
    assert_int_equal(findings_tell(&table, &computed, survey, &readable, &nothing_wrong, refuse, NULL), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_fit_are_told),
        cmocka_unit_test(one_more_is_the_end_of_the_list),
        cmocka_unit_test(a_handler_ends_the_telling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
