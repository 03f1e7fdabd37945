/* Unit tests of which backends are new (WALL-6): by sorting, whatever order the ports come in. */
#include "workers/netadmin/plan/newcomers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void add(struct map *map, uint16_t port, uint8_t last)
{
    const struct map_element element = {.port = port, .backend_port = port, .backend = {172, 30, 0, last}};

    assert_int_equal(map_add(map, &element), 0);
}

static void expect_newcomers(const struct map_state *before, const struct map_state_difference *difference,
                             const uint8_t *wanted, size_t count)
{
    struct backend_list list = {0};

    assert_int_equal(newcomers_list(before, difference, FAMILY_INDEX_4, &list), 0);
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list.items[i][3], wanted[i]);
    backend_list_clear(&list);
}

static void each_is_listed_once_and_sorted(void **state)
{
    struct map_state_difference difference = {0};
    struct map_state before = {0};

    (void)state;
    expect_newcomers(&before, &difference, NULL, 0);
    add(&difference.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].added, 1, 9);
    add(&difference.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].added, 2, 5);
    add(&difference.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].added, 3, 9);
    add(&difference.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_UDP].added, 1, 7);
    add(&difference.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_UDP].added, 2, 5);
    add(&difference.maps[FAMILY_INDEX_6][PROTOCOL_INDEX_UDP].added, 2, 77);
    expect_newcomers(&before, &difference, (const uint8_t[]){5, 7, 9}, 3);
    add(&before.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_UDP], 53, 7);
    add(&before.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP], 53, 200);
    add(&before.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP], 54, 5);
    expect_newcomers(&before, &difference, (const uint8_t[]){9}, 1);
    map_state_difference_clear(&difference);
    map_state_clear(&before);
}

static void a_single_one_is_looked_for_as_well(void **state)
{
    struct map_state_difference difference = {0};
    struct map_state before = {0};

    (void)state;
    add(&difference.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_UDP].added, 1, 5);
    expect_newcomers(&before, &difference, (const uint8_t[]){5}, 1);
    add(&before.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP], 9, 5);
    expect_newcomers(&before, &difference, NULL, 0);
    map_state_difference_clear(&difference);
    map_state_clear(&before);
}

static void what_is_listed_is_found(void **state)
{
    struct map_state_difference difference = {0};
    const struct map_state before = {0};
    struct backend_list list = {0};

    (void)state;
    assert_false(backend_list_contains(&list, (const uint8_t[16]){172, 30, 0, 5}));
    for (uint8_t i = 1; i < 100; i++)
        add(&difference.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].added, i, (uint8_t)(200 - 2 * i));
    assert_int_equal(newcomers_list(&before, &difference, FAMILY_INDEX_4, &list), 0);
    assert_true(backend_list_contains(&list, (const uint8_t[16]){172, 30, 0, 2}));
    assert_true(backend_list_contains(&list, (const uint8_t[16]){172, 30, 0, 198}));
    assert_false(backend_list_contains(&list, (const uint8_t[16]){172, 30, 0, 3}));
    backend_list_clear(&list);
    map_state_difference_clear(&difference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_listed_once_and_sorted),
        cmocka_unit_test(a_single_one_is_looked_for_as_well),
        cmocka_unit_test(what_is_listed_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
