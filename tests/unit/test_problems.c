/* Unit tests of the registry of problems (SEE-1). */
#include "protocol/problems.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void each_has_a_code_of_its_own_and_a_parent_that_there_is(void **state)
{
    char code[PROBLEM_CODE_SIZE];
    size_t index = 0;

    (void)state;
    assert_string_equal(problem_code(PROBLEM_LABEL_INVALID, code), "ANC0101");
    for (size_t i = 0; i < PROBLEM_INDEX_MAX_; i++) {
        const struct problem_definition *definition = problem_definition(i);
        size_t steps = 0;

        assert_in_range(definition->problem, 101, 999);
        assert_int_equal(problem_find((uint32_t)definition->problem, &index), 0);
        assert_int_equal(index, i); /* the first of its number: there is no other */
        assert_true(strlen(definition->title) > 10);
        assert_int_equal(definition->problem < 600, i < PROBLEMS_TOLD); /* doctor's come last */
        for (enum problem parent = definition->parent; parent != PROBLEM_NONE; steps++) {
            assert_int_equal(problem_find((uint32_t)parent, &index), 0);
            parent = problem_definition(index)->parent;
            assert_true(steps < PROBLEM_INDEX_MAX_); /* no circle */
        }
    }
    assert_int_equal(problem_find(0, &index), -EINVAL);
    assert_int_equal(problem_find(65535, &index), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_a_code_of_its_own_and_a_parent_that_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
