/* Unit tests of the table of containers: it is kept in the order in which ports are given away (NAT-6). */
#include "workers/watcher/container_table.h"

#include "common/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct container_table table;

static int release(void **state)
{
    (void)state;
    container_table_release(&table);
    return 0;
}

static void put(const char *id, uint64_t created)
{
    static struct docker_container container; /* 35 kB */
    struct label_fault fault;

    text_copy_cut(container.id, sizeof(container.id), id);
    container.created = created;
    assert_int_equal(container_table_put(&table, &container, &fault), 0);
}

static void containers_stand_in_the_order_of_their_creation(void **state)
{
    const char *const wanted[] = {"d", "a", "c", "b", "e"};
    struct container_entry *entry, *next;
    size_t count = 0;

    (void)state;
    container_table_begin_pass(&table);
    put("b", 300);
    put("c", 200);
    put("d", 100);
    put("a", 200);
    put("e", 400);
    put("c", 200); /* again: stays where it is */
    HASH_ITER (hh, table.entries, entry, next) {
        assert_true(count < ARRAY_LENGTH(wanted));
        assert_string_equal(entry->id, wanted[count++]);
        assert_ptr_equal(container_table_find(&table, entry->id), entry);
    }
    assert_int_equal(count, ARRAY_LENGTH(wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(containers_stand_in_the_order_of_their_creation, release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
