/* Unit tests of workers/netadmin/plan/map_difference and map_state: the content of one transaction (NAT-3, NAT-5). */
#include "workers/netadmin/plan/map_difference.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void add(struct map *map, uint16_t port, uint8_t host, uint16_t backend_port)
{
    const struct map_element element = {.port = port, .backend_port = backend_port, .backend = {172, 30, 0, host}};

    assert_int_equal(map_add(map, &element), 0);
}

static void expect_ports(const struct map *map, size_t count, const uint16_t *ports)
{
    assert_int_equal(map->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(map->elements[i].port, ports[i]);
}

static void equal_maps_differ_in_nothing(void **state)
{
    struct map have = {0};
    struct map_difference difference = {0};

    (void)state;
    assert_int_equal(map_difference_compute(&have, &have, &difference), 0);
    assert_true(map_difference_is_empty(&difference));
    add(&have, 25, 5, 25);
    add(&have, 80, 6, 8080);
    assert_int_equal(map_difference_compute(&have, &have, &difference), 0);
    assert_true(map_difference_is_empty(&difference));
    free(have.elements);
}

static void every_kind_of_change_is_found(void **state)
{
    struct map have = {0};
    struct map want = {0};
    struct map_difference difference = {0};

    (void)state;
    add(&have, 1, 5, 1); /* goes */
    add(&have, 2, 5, 2); /* stays */
    add(&have, 3, 5, 3); /* other address */
    add(&have, 4, 5, 4); /* other port */
    add(&want, 2, 5, 2);
    add(&want, 3, 6, 3);
    add(&want, 4, 5, 40);
    add(&want, 65535, 5, 5); /* comes */
    assert_int_equal(map_difference_compute(&have, &want, &difference), 0);
    expect_ports(&difference.removed, 3, (const uint16_t[]){1, 3, 4});
    expect_ports(&difference.added, 3, (const uint16_t[]){3, 4, 65535});
    assert_int_equal(difference.removed.elements[1].backend[3], 5); /* the old value: whose flows are stale */
    assert_int_equal(difference.added.elements[0].backend[3], 6);
    map_difference_clear(&difference);
    free(have.elements);
    free(want.elements);
}

static void from_and_to_nothing(void **state)
{
    const struct map nothing = {0};
    struct map some = {0};
    struct map_difference difference = {0};

    (void)state;
    add(&some, 7, 5, 7);
    add(&some, 9, 5, 9);
    assert_int_equal(map_difference_compute(&nothing, &some, &difference), 0);
    assert_int_equal(difference.removed.count, 0);
    expect_ports(&difference.added, 2, (const uint16_t[]){7, 9});
    assert_false(map_difference_is_empty(&difference));
    map_difference_clear(&difference);
    assert_int_equal(map_difference_compute(&some, &nothing, &difference), 0);
    expect_ports(&difference.removed, 2, (const uint16_t[]){7, 9});
    assert_int_equal(difference.added.count, 0);
    assert_false(map_difference_is_empty(&difference));
    map_difference_clear(&difference);
    free(some.elements);
}

/* Behind a map's last element stands what it held once. */
static void what_is_behind_the_last_element_is_none(void **state)
{
    struct map_element some[] = {{.port = 7}, {.port = 9}, {.port = 11}};
    struct map_element other[] = {{.port = 20}, {.port = 21}};
    const struct map two = {.elements = some, .count = 2};
    const struct map one = {.elements = other, .count = 1};
    struct map_difference difference = {0};

    (void)state;
    assert_int_equal(map_difference_compute(&one, &two, &difference), 0);
    expect_ports(&difference.removed, 1, (const uint16_t[]){20});
    expect_ports(&difference.added, 2, (const uint16_t[]){7, 9});
    map_difference_clear(&difference);
    assert_int_equal(map_difference_compute(&two, &one, &difference), 0);
    expect_ports(&difference.removed, 2, (const uint16_t[]){7, 9});
    expect_ports(&difference.added, 1, (const uint16_t[]){20});
    map_difference_clear(&difference);
}

static void each_of_the_four_maps_is_compared(void **state)
{
    const struct map_state nothing = {0};

    (void)state;
    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++) {
        for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++) {
            struct map_state want = {0};
            struct map_state_difference difference = {0};

            add(&want.maps[family][protocol], 80, 5, 80);
            assert_int_equal(map_state_difference_compute(&nothing, &want, &difference), 0);
            expect_ports(&difference.maps[family][protocol].added, 1, (const uint16_t[]){80});
            assert_false(map_state_difference_is_empty(&difference));
            map_state_difference_clear(&difference);
            assert_null(difference.maps[family][protocol].added.elements);
            assert_true(map_state_difference_is_empty(&difference));
            assert_int_equal(map_state_difference_compute(&want, &want, &difference), 0);
            assert_true(map_state_difference_is_empty(&difference));
            map_state_clear(&want);
        }
    }
}

static struct wire_exposure exposure(uint8_t family, uint8_t protocol, uint16_t first, uint16_t last,
                                     uint16_t backend_port)
{
    return (struct wire_exposure){.family = family,
                                  .protocol = protocol,
                                  .port_first = first,
                                  .port_last = last,
                                  .backend_port_first = backend_port,
                                  .backend = {172, 30, 0, 5},
                                  .access = EXPOSURE_OPEN};
}

static void range_is_one_element_per_port(void **state)
{
    struct map_state expanded = {0};
    const struct wire_exposure range = exposure(4, IPPROTO_TCP, 8000, 8010, 9000);
    const struct map *map = &expanded.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP];

    (void)state;
    assert_int_equal(map_state_expand(&expanded, &range), 0);
    assert_int_equal(map->count, 11);
    for (uint16_t i = 0; i < 11; i++) {
        assert_int_equal(map->elements[i].port, 8000 + i);
        assert_int_equal(map->elements[i].backend_port, 9000 + i);
    }
    assert_null(map_find(map, 7999));
    assert_null(map_find(map, 8011));
    assert_int_equal(map_find(map, 8010)->backend_port, 9010);
    map_state_clear(&expanded);
}

static void ranges_come_back_as_they_were(void **state)
{
    const struct wire_exposure sent[] = {
        exposure(4, IPPROTO_TCP, 25, 25, 25),
        exposure(4, IPPROTO_TCP, 8000, 8010, 9000),
        exposure(4, IPPROTO_TCP, 8011, 8012, 80), /* neighbour of the range, but not its continuation */
        exposure(4, IPPROTO_UDP, 1, 60000, 5000),
    };
    struct map_state expanded = {0};
    CLEANUP_FREE struct wire_exposure *reported = NULL;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(sent); i++)
        assert_int_equal(map_state_expand(&expanded, &sent[i]), 0);
    map_state_sort(&expanded);
    assert_int_equal(map_state_to_exposures(&expanded, EXPOSURE_OPEN, &reported, &count), 0);
    assert_int_equal(count, ARRAY_LENGTH(sent));
    assert_memory_equal(reported, sent, sizeof(sent));
    map_state_clear(&expanded);
}

static void the_limit_holds_over_all_maps(void **state)
{
    const struct wire_exposure most = exposure(4, IPPROTO_TCP, 1, 65535, 1);
    const struct wire_exposure one = exposure(6, IPPROTO_UDP, 1, 1, 1);
    struct map_state expanded = {0};

    (void)state;
    assert_int_equal(map_state_expand(&expanded, &most), 0);
    assert_int_equal(map_state_expand(&expanded, &one), 0);
    assert_int_equal(map_state_count(&expanded), MAP_ELEMENTS_MAX);
    assert_int_equal(map_state_expand(&expanded, &one), -E2BIG);
    assert_int_equal(map_state_count(&expanded), MAP_ELEMENTS_MAX);
    map_state_clear(&expanded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_maps_differ_in_nothing),
        cmocka_unit_test(every_kind_of_change_is_found),
        cmocka_unit_test(from_and_to_nothing),
        cmocka_unit_test(range_is_one_element_per_port),
        cmocka_unit_test(ranges_come_back_as_they_were),
        cmocka_unit_test(the_limit_holds_over_all_maps),
        cmocka_unit_test(what_is_behind_the_last_element_is_none),
        cmocka_unit_test(each_of_the_four_maps_is_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
