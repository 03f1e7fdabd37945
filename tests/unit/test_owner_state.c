/* What the size of a shared /etc/hosts says about the namespace's owner (SA-6); the sizes are measured ones. */
#include "daemon/role/owner_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ALIVE   172
#define STOPPED 148

static void a_stopped_owner_is_waited_for(void **state)
{
    struct owner_state owner = {.lost_size = -1};

    (void)state;
    assert_false(owner_state_look(&owner, true, ALIVE));
    assert_false(owner_state_look(&owner, false, STOPPED));
    assert_false(owner_state_look(&owner, false, STOPPED));
    assert_true(owner_state_look(&owner, false, ALIVE));
}

static void a_quick_restart_is_one_look(void **state)
{
    struct owner_state owner = {.lost_size = -1};

    (void)state;
    assert_false(owner_state_look(&owner, true, ALIVE));
    assert_true(owner_state_look(&owner, false, ALIVE - 1)); /* 172.18.0.9 instead of 172.18.0.10 */
}

static void links_that_come_back_begin_anew(void **state)
{
    struct owner_state owner = {.lost_size = -1};

    (void)state;
    assert_false(owner_state_look(&owner, true, ALIVE));
    assert_false(owner_state_look(&owner, false, STOPPED));
    assert_false(owner_state_look(&owner, true, ALIVE));
    assert_false(owner_state_look(&owner, false, STOPPED));
}

static void without_a_look_at_the_living_only_growth_counts(void **state)
{
    struct owner_state owner = {.lost_size = -1};

    (void)state;
    assert_false(owner_state_look(&owner, false, ALIVE));
    assert_true(owner_state_look(&owner, false, ALIVE + 24));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_owner_is_waited_for),
        cmocka_unit_test(a_quick_restart_is_one_look),
        cmocka_unit_test(links_that_come_back_begin_anew),
        cmocka_unit_test(without_a_look_at_the_living_only_growth_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
