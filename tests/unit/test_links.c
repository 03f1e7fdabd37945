/* Unit tests of links and addresses as values: equal, found, usable. */
#include "workers/netlink/plan/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct network_link link_of(uint32_t index, uint8_t last)
{
    return (struct network_link){.index = index, .mac = {{2, 0, 0, 0, 0, last}}};
}

static void tables_differ_by_any_byte_of_any_link(void **state)
{
    struct network_link links[2] = {link_of(2, 1), link_of(3, 2)};
    struct network_link others[2] = {link_of(2, 1), link_of(3, 2)};
    struct link_table table = {.links = links, .count = 2};
    struct link_table other = {.links = others, .count = 2};

    (void)state;
    assert_true(link_table_equal(&table, &other));
    others[1].addresses[LINK_ADDRESSES_MAX - 1].created++;
    assert_false(link_table_equal(&table, &other));
    table.count = other.count = 1;
    assert_true(link_table_equal(&table, &other));
    other.count = 0;
    assert_false(link_table_equal(&table, &other));
    table.count = 0;
    assert_true(link_table_equal(&table, &other));
}

static void the_lowest_index_of_a_mac_is_found(void **state)
{
    struct network_link links[] = {link_of(9, 1), link_of(4, 1), link_of(6, 1), link_of(2, 3)};
    struct link_table table = {.links = links, .count = 4};

    (void)state;
    assert_ptr_equal(link_table_find_mac(&table, &links[0].mac), &links[1]);
    assert_ptr_equal(link_table_find_mac(&table, &links[3].mac), &links[3]);
    assert_null(link_table_find_mac(&table, &(struct mac_address){{2, 0, 0, 0, 0, 9}}));
    table.count = 3;
    assert_null(link_table_find_mac(&table, &links[3].mac));
}

static void a_cleared_table_is_empty(void **state)
{
    struct link_table table = {.links = calloc(3, sizeof(struct network_link)), .count = 3};

    (void)state;
    link_table_clear(&table);
    assert_null(table.links);
    assert_int_equal(table.count, 0);
    link_table_clear(&table);
}

static void an_address_is_usable_after_its_detection(void **state)
{
    struct link_address address = {.flags = IFA_F_PERMANENT | IFA_F_DEPRECATED};

    (void)state;
    assert_true(link_address_is_usable(&address));
    address.flags = IFA_F_TENTATIVE;
    assert_false(link_address_is_usable(&address));
    address.flags = IFA_F_DADFAILED;
    assert_false(link_address_is_usable(&address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_differ_by_any_byte_of_any_link),
        cmocka_unit_test(the_lowest_index_of_a_mac_is_found),
        cmocka_unit_test(a_cleared_table_is_empty),
        cmocka_unit_test(an_address_is_usable_after_its_detection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
