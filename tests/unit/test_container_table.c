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
    static struct docker_container container; /* 114 kB */
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

static struct docker_container labelled; /* 114 kB */

static void set_label(enum watched_label label, const char *text)
{
    labelled.labels[label].is_present = text;
    text_copy_cut(labelled.labels[label].text, sizeof(labelled.labels[label].text), text ? text : "");
}

/* What becomes of a new container with these labels. */
static const struct container_entry *put_labelled(const char *allow, const char *limit, struct label_fault *fault)
{
    static uint64_t created;

    set_label(WATCHED_LABEL_EXPOSE, "tcp/22");
    set_label(WATCHED_LABEL_ALLOW, allow);
    set_label(WATCHED_LABEL_LIMIT, limit);
    set_label(WATCHED_LABEL_SERVICE, "web");
    labelled.id[0] = 'x';
    labelled.id[1] = (char)('0' + created);
    labelled.created = ++created;
    assert_int_equal(container_table_put(&table, &labelled, fault), 0);
    return container_table_find(&table, labelled.id);
}

/* GUEST-1: what is malformed exposes nothing. */
static void lists_and_limits_are_read(void **state)
{
    struct label_fault fault;
    const struct container_entry *entry = put_labelled("tcp/22 from ::1", "tcp/22 1/second per source", &fault);

    (void)state;
    assert_null(fault.reason);
    assert_int_equal(entry->range_count, 1);
    assert_int_equal(entry->guests.count, 3);
    entry = put_labelled("", NULL, &fault);
    assert_int_equal(entry->range_count, 1);
    assert_int_equal(entry->guests.count, 0);
    entry = put_labelled("tcp/22 from home", NULL, &fault);
    assert_int_equal(entry->range_count, 0);
    assert_string_equal(fault.label, "anchord.allow");
    assert_int_equal(fault.position, 13);
    entry = put_labelled("tcp/22 from ::1", "tcp/22 often", &fault);
    assert_int_equal(entry->range_count, 0);
    assert_string_equal(fault.label, "anchord.limit");
    assert_int_equal(fault.position, 8);
}

/* GUEST-5: of the services that it names, the variable decides. */
static void a_variable_decides_about_its_services(void **state)
{
    struct label_fault fault;

    (void)state;
    table.guest_texts[GUEST_TEXT_ALLOW] = strdup("web: tcp/22 from ::1 ::2");
    table.guest_texts[GUEST_TEXT_LIMIT] = strdup("db: tcp/22 1/second per source");
    assert_int_equal(put_labelled("tcp/22 from home", "tcp/22 1/minute per source", &fault)->guests.count, 4);
    assert_null(fault.reason);
    free(table.guest_texts[GUEST_TEXT_ALLOW]);
    table.guest_texts[GUEST_TEXT_ALLOW] = strdup("db: tcp/22 from ::1 ::2");
    assert_int_equal(put_labelled("tcp/22 from ::1", NULL, &fault)->guests.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(containers_stand_in_the_order_of_their_creation, release),
        cmocka_unit_test_teardown(lists_and_limits_are_read, release),
        cmocka_unit_test_teardown(a_variable_decides_about_its_services, release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
