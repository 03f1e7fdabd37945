/* Unit tests of workers/netadmin/plan/port_ledger: what is told of exposed ports never goes back (SEE-4). */
#include "workers/netadmin/plan/port_ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct port_ledger ledger;
static struct map_state_difference differences[PORT_COUNTER_MAX_];
static struct port_values removed, carried;

static const struct port_range web = {80, 80, PROTOCOL_INDEX_TCP}, media = {10000, 10009, PROTOCOL_INDEX_UDP};
#define TCP4 PROTOCOL_INDEX_TCP
#define UDP4 PROTOCOL_INDEX_UDP
#define UDP6 (PROTOCOL_INDEX_MAX_ + PROTOCOL_INDEX_UDP)

static void open_ranges(const struct port_range *first, const struct port_range *second)
{
    struct port_ranges ranges = {0};

    assert_int_equal(port_ranges_add(&ranges, first), 0);
    if (second)
        assert_int_equal(port_ranges_add(&ranges, second), 0);
    port_ranges_sort(&ranges);
    assert_int_equal(port_ledger_open(&ledger, &ranges), 0);
    port_ranges_clear(&ranges);
}

static int begin(void **state)
{
    (void)state;
    open_ranges(&media, &web);
    return 0;
}

static void clear_transaction(void)
{
    for (size_t i = 0; i < PORT_COUNTER_MAX_; i++)
        map_state_difference_clear(&differences[i]);
    port_values_clear(&removed);
    port_values_clear(&carried);
}

static int end(void **state)
{
    (void)state;
    clear_transaction();
    port_ledger_clear(&ledger);
    return 0;
}

static struct port_value value_of(enum port_counter counter, size_t map, uint16_t port, uint64_t packets)
{
    return (struct port_value){{packets, packets * 60}, port, (uint8_t)map, (uint8_t)counter};
}

static void read_one(enum port_counter counter, size_t map, uint16_t port, uint64_t packets)
{
    const struct port_value value = value_of(counter, map, port, packets);

    port_ledger_begin(&ledger);
    port_ledger_note(&ledger, &value);
    port_ledger_end(&ledger);
}

static const struct port_series *series_at(const struct port_range *range)
{
    for (size_t i = 0; i < ledger.count; i++) {
        if (port_range_compare(&ledger.series[i].range, range) == 0)
            return &ledger.series[i];
    }
    fail();
    return NULL;
}

static uint64_t told(const struct port_range *range)
{
    return series_at(range)->told[PORT_FLOWS].packets;
}

static void takes(struct map *map, uint16_t port)
{
    assert_int_equal(map_add(map, &(struct map_element){.port = port, .backend_port = port}), 0);
}

static void removes(size_t map, uint16_t port, uint64_t packets)
{
    const struct port_value value = value_of(PORT_FLOWS, map, port, packets);

    takes(&differences[PORT_FLOWS].all[map].removed, port);
    assert_int_equal(port_values_add(&removed, &value), 0);
    port_values_sort(&removed);
}

static void adds(size_t map, uint16_t port)
{
    takes(&differences[PORT_FLOWS].all[map].added, port);
}

/* What the element of the transaction begins with. */
static uint64_t begins_with(size_t map, uint16_t port)
{
    const struct packet_count *count;

    port_values_clear(&carried);
    assert_int_equal(port_ledger_carry(&ledger, differences, &removed, &carried), 0);
    count = port_values_find(&carried, PORT_FLOWS, map, port);
    return count ? count->packets : 0;
}

static void commit(const struct port_ranges *ranges)
{
    port_ledger_carried(&ledger, differences, &removed, ranges);
    clear_transaction();
}

static void a_series_is_both_families_and_all_ports_of_the_range(void **state)
{
    const struct port_value values[] = {value_of(PORT_FLOWS, UDP4, 10000, 1),  value_of(PORT_FLOWS, UDP4, 10009, 2),
                                        value_of(PORT_FLOWS, UDP6, 10003, 4),  value_of(PORT_TRAFFIC, UDP6, 10003, 8),
                                        value_of(PORT_FLOWS, UDP4, 10010, 16), value_of(PORT_FLOWS, TCP4, 10000, 32)};

    (void)state;
    port_ledger_begin(&ledger);
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
        port_ledger_note(&ledger, &values[i]);
    port_ledger_end(&ledger);
    assert_int_equal(told(&media), 7);
    assert_int_equal(series_at(&media)->told[PORT_TRAFFIC].bytes, 480);
    assert_int_equal(told(&web), 0);
}

static void a_reading_that_misses_elements_takes_nothing_back(void **state)
{
    (void)state;
    read_one(PORT_FLOWS, TCP4, 80, 9);
    read_one(PORT_FLOWS, TCP4, 80, 3);
    assert_int_equal(told(&web), 9);
    read_one(PORT_FLOWS, TCP4, 80, 10);
    assert_int_equal(told(&web), 10);
}

static void another_backend_goes_on_where_the_port_was(void **state)
{
    (void)state;
    removes(TCP4, 80, 5);
    adds(TCP4, 80);
    assert_int_equal(begins_with(TCP4, 80), 5);
    commit(NULL);
    read_one(PORT_FLOWS, TCP4, 80, 5);
    assert_int_equal(told(&web), 5);
}

static void a_port_that_comes_back_goes_on_where_it_was(void **state)
{
    const struct port_ranges none = {0};

    (void)state;
    removes(TCP4, 80, 5);
    commit(&none);
    assert_false(series_at(&web)->is_exposed);
    assert_int_equal(told(&web), 5);
    open_ranges(&web, NULL);
    adds(TCP4, 80);
    assert_int_equal(begins_with(TCP4, 80), 5);
    commit(NULL);
    read_one(PORT_FLOWS, TCP4, 80, 6);
    assert_int_equal(told(&web), 6);
}

static void a_transaction_that_fails_changes_nothing(void **state)
{
    (void)state;
    removes(TCP4, 80, 5);
    adds(TCP4, 80);
    assert_int_equal(begins_with(TCP4, 80), 5);
    assert_int_equal(begins_with(TCP4, 80), 5);
    read_one(PORT_FLOWS, TCP4, 80, 5);
    assert_int_equal(told(&web), 5);
}

static void what_the_first_port_of_a_range_carries_no_other_does(void **state)
{
    const struct packet_count before[PORT_COUNTER_MAX_] = {{70, 700}, {0}};
    const struct port_values nothing = {0};

    (void)state;
    assert_int_equal(port_ledger_restore(&ledger, &media, before), 0);
    port_ledger_settle(&ledger, &nothing);
    adds(UDP4, 10000);
    adds(UDP4, 10001);
    adds(UDP6, 10000);
    assert_int_equal(begins_with(UDP4, 10000), 70);
    assert_int_equal(carried.count, 1);
    commit(NULL);
    read_one(PORT_FLOWS, UDP4, 10000, 71);
    assert_int_equal(told(&media), 71);
}

static void tables_that_are_as_they_were_carry_nothing(void **state)
{
    const struct packet_count before[PORT_COUNTER_MAX_] = {{70, 4200}, {0}};
    struct port_value value = value_of(PORT_FLOWS, UDP4, 10000, 72);
    const struct port_values all = {.items = &value, .count = 1};

    (void)state;
    assert_int_equal(port_ledger_restore(&ledger, &media, before), 0);
    port_ledger_settle(&ledger, &all);
    assert_int_equal(told(&media), 72);
    adds(UDP4, 10001);
    assert_int_equal(begins_with(UDP4, 10001), 0);
}

static void more_ports_than_are_told_are_left_out(void **state)
{
    struct port_ranges ranges = {0};

    (void)state;
    for (uint16_t port = 1; port <= COUNTED_PORTS_MAX + 1; port++)
        assert_int_equal(port_ranges_add(&ranges, &(struct port_range){port, port, PROTOCOL_INDEX_TCP}), 0);
    port_ledger_carried(&ledger, differences, &removed, &(struct port_ranges){0}); /* nothing is exposed any more */
    assert_int_equal(port_ledger_open(&ledger, &ranges), 0);
    assert_int_equal(ledger.count, COUNTED_PORTS_MAX);
    read_one(PORT_FLOWS, TCP4, COUNTED_PORTS_MAX + 1, 5);
    read_one(PORT_FLOWS, TCP4, COUNTED_PORTS_MAX, 5);
    assert_int_equal(ledger.series[COUNTED_PORTS_MAX - 1].told[PORT_FLOWS].packets, 5);
    port_ranges_clear(&ranges);
}

static void of_ranges_that_overlap_the_exposed_one_counts(void **state)
{
    const struct port_range wider = {10000, 10010, PROTOCOL_INDEX_UDP};
    struct port_ranges now = {.items = (struct port_range[]){wider}, .count = 1};

    (void)state;
    open_ranges(&wider, NULL);
    commit(&now);
    read_one(PORT_FLOWS, UDP4, 10005, 3);
    assert_int_equal(told(&wider), 3);
    assert_int_equal(told(&media), 0);
}

static void ranges_of_both_families_are_one(void **state)
{
    struct port_ranges ranges = {0};

    (void)state;
    assert_int_equal(port_ranges_add(&ranges, &media), 0);
    assert_int_equal(port_ranges_add(&ranges, &web), 0);
    assert_int_equal(port_ranges_add(&ranges, &media), 0);
    port_ranges_sort(&ranges);
    assert_int_equal(ranges.count, 2);
    assert_int_equal(ranges.items[0].first, 80);
    port_ranges_clear(&ranges);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_series_is_both_families_and_all_ports_of_the_range),
        TEST(a_reading_that_misses_elements_takes_nothing_back),
        TEST(another_backend_goes_on_where_the_port_was),
        TEST(a_port_that_comes_back_goes_on_where_it_was),
        TEST(a_transaction_that_fails_changes_nothing),
        TEST(what_the_first_port_of_a_range_carries_no_other_does),
        TEST(tables_that_are_as_they_were_carry_nothing),
        TEST(more_ports_than_are_told_are_left_out),
        TEST(of_ranges_that_overlap_the_exposed_one_counts),
        TEST(ranges_of_both_families_are_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
