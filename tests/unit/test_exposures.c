/*
 * Unit tests of the exposures: who gets a port that two containers claim, over histories with restarts (NAT-6), what
 * the entries look like (NAT-5, NAT-7), and the limit of the maps.
 */
#include "workers/watcher/exposures.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WEB_PORT(backend_)                 \
    {                                      \
        IPPROTO_TCP, 0, 80, 80, (backend_) \
    }

static const struct expose_range web[] = {WEB_PORT(80)};
static const struct expose_range web_and_mail[] = {{IPPROTO_TCP, 0, 25, 25, 25}, WEB_PORT(8080)};
static const struct expose_range web_range[] = {{IPPROTO_TCP, 0, 75, 85, 1075}};
static const struct expose_range all_ports[] = {{IPPROTO_TCP, 0, 1, 65535, 1}};

static struct ip_address address(const char *text)
{
    struct ip_address parsed;

    assert_int_equal(ip_address_parse(text, &parsed), 0);
    return parsed;
}

#define SOURCE(serial_, created_, id_, address_, ranges_)                                                            \
    (struct exposure_source)                                                                                         \
    {                                                                                                                \
        .serial = (serial_), .created = (created_), .id = (id_), .address4 = address(address_), .ranges = (ranges_), \
        .range_count = ARRAY_LENGTH(ranges_)                                                                         \
    }

static struct exposures *exposures;
static struct exposure_result computed;

static int make(void **state)
{
    (void)state;
    return exposures_new(&exposures);
}

static int release(void **state)
{
    (void)state;
    exposures = exposures_free(exposures);
    return 0;
}

static void compute(const struct exposure_source *sources, size_t count)
{
    assert_int_equal(exposures_compute(exposures, sources, count, &computed), 0);
}

/* The last byte of the backend that `port` leads to, 0 for none. */
static unsigned int backend_of(unsigned int port)
{
    for (size_t i = 0; i < computed.item_count; i++) {
        const struct wire_exposure *item = &computed.items[i];

        if (item->family == IP_FAMILY_4 && port >= item->port_first && port <= item->port_last)
            return item->backend[3];
    }
    return 0;
}

static void the_oldest_container_gets_a_free_port(void **state)
{
    const struct exposure_source sources[] = {
        SOURCE(1, 200, "b", "172.30.0.1", web),
        SOURCE(2, 100, "c", "172.30.0.2", web_and_mail),
        SOURCE(3, 300, "a", "172.30.0.3", web),
    };

    (void)state;
    compute(sources, 3);
    assert_int_equal(backend_of(80), 2);
    assert_int_equal(backend_of(25), 2);
    assert_int_equal(computed.backend_count, 1);
    assert_int_equal(computed.conflict_count, 2);
    assert_int_equal(computed.conflicts[0].refused, 1);
    assert_int_equal(computed.conflicts[0].holder, 2);
    assert_int_equal(computed.conflicts[0].protocol, IPPROTO_TCP);
    assert_int_equal(computed.conflicts[0].port_first, 80);
    assert_int_equal(computed.conflicts[0].port_last, 80);
    assert_int_equal(computed.conflicts[1].refused, 3);
}

static void equally_old_ones_are_ordered_by_id(void **state)
{
    const struct exposure_source sources[] = {
        SOURCE(1, 100, "bb", "172.30.0.1", web),
        SOURCE(2, 100, "ba", "172.30.0.2", web),
    };

    (void)state;
    compute(sources, 2);
    assert_int_equal(backend_of(80), 2);
}

static void the_incumbent_stays_and_the_other_takes_over(void **state)
{
    const struct exposure_source young = SOURCE(1, 200, "b", "172.30.0.1", web);
    const struct exposure_source old = SOURCE(2, 100, "a", "172.30.0.2", web_and_mail);
    const struct exposure_source both[] = {old, young};

    (void)state;
    compute(&young, 1);
    assert_int_equal(backend_of(80), 1);
    compute(both, 2);
    assert_int_equal(backend_of(80), 1);
    assert_int_equal(backend_of(25), 2); /* the rest of its ports work */
    assert_int_equal(computed.conflict_count, 1);
    assert_int_equal(computed.conflicts[0].refused, 2);
    compute(&old, 1);
    assert_int_equal(backend_of(80), 2);
    assert_int_equal(computed.conflict_count, 0);
    compute(both, 2);
    assert_int_equal(backend_of(80), 2);
}

static void a_container_that_came_back_waits_its_turn(void **state)
{
    const struct exposure_source first = SOURCE(1, 100, "a", "172.30.0.1", web);
    const struct exposure_source second = SOURCE(2, 200, "b", "172.30.0.2", web);
    const struct exposure_source first_again = SOURCE(3, 100, "a", "172.30.0.1", web);
    const struct exposure_source before[] = {first, second};
    const struct exposure_source after[] = {first_again, second};

    (void)state;
    compute(before, 2);
    assert_int_equal(backend_of(80), 1);
    compute(&second, 1);
    assert_int_equal(backend_of(80), 2);
    compute(after, 2);
    assert_int_equal(backend_of(80), 2);
}

static void without_an_address_a_port_is_given_up(void **state)
{
    struct exposure_source sources[] = {
        SOURCE(1, 100, "a", "172.30.0.1", web),
        SOURCE(2, 200, "b", "172.30.0.2", web),
    };

    (void)state;
    compute(sources, 2);
    assert_int_equal(backend_of(80), 1);
    sources[0].address4.family = IP_FAMILY_NONE;
    compute(sources, 2);
    assert_int_equal(backend_of(80), 2);
    assert_int_equal(computed.conflict_count, 0);
}

static void a_range_is_split_around_what_others_hold(void **state)
{
    const struct exposure_source sources[] = {
        SOURCE(1, 200, "b", "172.30.0.1", web_range),
        SOURCE(2, 100, "a", "172.30.0.2", web),
    };

    (void)state;
    compute(sources, 2);
    assert_int_equal(computed.item_count, 3);
    assert_int_equal(computed.items[0].port_first, 75);
    assert_int_equal(computed.items[0].port_last, 79);
    assert_int_equal(computed.items[0].backend_port_first, 1075);
    assert_int_equal(computed.items[1].port_first, 80);
    assert_int_equal(computed.items[1].backend[3], 2);
    assert_int_equal(computed.items[2].port_first, 81);
    assert_int_equal(computed.items[2].port_last, 85);
    assert_int_equal(computed.items[2].backend_port_first, 1081);
}

static void a_restarted_watcher_learns_the_incumbents_from_the_map(void **state)
{
    const struct exposure_source sources[] = {
        SOURCE(1, 100, "a", "172.30.0.1", web_and_mail),
        SOURCE(2, 200, "b", "172.30.0.2", web_range),
    };
    const struct wire_exposure map[] = {
        {.family = IP_FAMILY_4,
         .protocol = IPPROTO_TCP,
         .port_first = 75,
         .port_last = 82,
         .backend_port_first = 1075,
         .backend = {172, 30, 0, 2}},
        {.family = IP_FAMILY_4,
         .protocol = IPPROTO_TCP,
         .port_first = 90,
         .port_last = 90,
         .backend_port_first = 90,
         .backend = {172, 30, 0, 99}},
        {.family = IP_FAMILY_4,
         .protocol = IPPROTO_UDP,
         .port_first = 80,
         .port_last = 80,
         .backend_port_first = 80,
         .backend = {172, 30, 0, 1}},
    };

    (void)state;
    assert_int_equal(exposures_adopt(exposures, map, ARRAY_LENGTH(map), sources, 2), 0);
    compute(sources, 2);
    assert_int_equal(backend_of(80), 2);
    assert_int_equal(backend_of(25), 1);
    assert_int_equal(backend_of(90), 0);
}

/* `holder` comes first, `other` joins its namespace, the watcher restarts: the map stays as it is. */
static void assert_a_restart_changes_nothing(struct exposure_source holder, struct exposure_source other)
{
    const struct exposure_source both[] = {holder, other};
    struct wire_exposure map[8];
    size_t count;

    compute(&holder, 1);
    compute(both, 2);
    assert_in_range(computed.item_count, 1, ARRAY_LENGTH(map));
    assert_int_equal(computed.conflict_count, 1);
    count = computed.item_count;
    memcpy(map, computed.items, count * sizeof(*map));
    exposures = exposures_free(exposures);
    assert_int_equal(exposures_new(&exposures), 0);
    assert_int_equal(exposures_adopt(exposures, map, count, both, 2), 0);
    compute(both, 2);
    assert_int_equal(computed.item_count, count);
    assert_memory_equal(computed.items, map, count * sizeof(*map));
    assert_int_equal(computed.conflicts[0].holder, holder.serial);
    exposures = exposures_free(exposures);
    assert_int_equal(exposures_new(&exposures), 0);
}

/* DISC-5: one address for both; the backend port, the families and the access tell whose entries they are. */
static void incumbents_in_one_namespace_are_told_apart(void **state)
{
    static const struct expose_range elsewhere[] = {WEB_PORT(8080)};
    static const struct expose_range shifted[] = {{IPPROTO_TCP, 0, 78, 82, 1078}};
    struct exposure_source older = SOURCE(1, 100, "a", "172.30.0.1", web);
    struct exposure_source younger = SOURCE(2, 200, "b", "172.30.0.1", elsewhere);
    struct exposure_source ranged = SOURCE(3, 300, "c", "172.30.0.1", shifted);

    (void)state;
    assert_a_restart_changes_nothing(older, younger);
    assert_a_restart_changes_nothing(younger, older);
    assert_a_restart_changes_nothing(ranged, older);
    younger.ranges = web;
    younger.is_withheld = true;
    assert_a_restart_changes_nothing(older, younger);
    assert_a_restart_changes_nothing(younger, older);
    younger.is_withheld = false;
    younger.address6 = address("fd30::1");
    assert_a_restart_changes_nothing(older, younger);
    assert_a_restart_changes_nothing(younger, older);
}

static void of_two_with_the_same_entries_the_older_is_the_incumbent(void **state)
{
    const struct exposure_source sources[] = {
        SOURCE(2, 200, "b", "172.30.0.1", web),
        SOURCE(1, 100, "a", "172.30.0.1", web),
    };

    (void)state;
    compute(&sources[0], 1);
    assert_int_equal(exposures_adopt(exposures, computed.items, computed.item_count, sources, 2), 0);
    compute(sources, 2);
    assert_int_equal(computed.conflict_count, 1);
    assert_int_equal(computed.conflicts[0].refused, 2);
}

static void the_map_s_ipv6_entries_count_too(void **state)
{
    struct exposure_source sources[] = {
        SOURCE(1, 100, "a", "172.30.0.1", web),
        SOURCE(2, 200, "b", "172.30.0.2", web),
    };
    const struct wire_exposure map = {.family = IP_FAMILY_6,
                                      .protocol = IPPROTO_TCP,
                                      .port_first = 80,
                                      .port_last = 80,
                                      .backend_port_first = 80,
                                      .backend = {0xfd, 0x30, [15] = 2}};

    (void)state;
    sources[1].address6 = address("fd30::2");
    assert_int_equal(exposures_adopt(exposures, &map, 1, sources, 2), 0);
    compute(sources, 2);
    assert_int_equal(backend_of(80), 2);
}

static void both_families_are_mirrored_and_sorted(void **state)
{
    struct exposure_source sources[] = {
        SOURCE(1, 100, "a", "172.30.0.1", web_and_mail),
        SOURCE(2, 200, "b", "172.30.0.2", web_range),
    };

    (void)state;
    sources[0].address6 = address("fd30::1");
    compute(sources, 2);
    assert_int_equal(computed.item_count, 6);
    assert_int_equal(computed.backend_count, 2);
    for (size_t i = 1; i < computed.item_count; i++)
        assert_true(computed.items[i - 1].family < computed.items[i].family ||
                    computed.items[i - 1].port_last < computed.items[i].port_first);
    assert_int_equal(computed.items[5].family, IP_FAMILY_6);
    assert_int_equal(computed.items[5].backend_port_first, 8080);
}

/* Ports on both sides of 256, which the sort takes byte by byte, in an order that no claim has. */
static void many_entries_are_sorted_by_family_protocol_and_port(void **state)
{
    static const struct expose_range first[] = {
        {IPPROTO_TCP, 0, 257, 257, 1}, {IPPROTO_TCP, 0, 65535, 65535, 1}, {IPPROTO_UDP, 0, 1, 1, 1}};
    static const struct expose_range second[] = {
        {IPPROTO_TCP, 0, 2, 2, 1}, {IPPROTO_TCP, 0, 256, 256, 1}, {IPPROTO_UDP, 0, 514, 514, 1}};
    static const struct {
        uint8_t protocol;
        uint16_t port;
    } wanted[] = {{IPPROTO_TCP, 2},     {IPPROTO_TCP, 256}, {IPPROTO_TCP, 257},
                  {IPPROTO_TCP, 65535}, {IPPROTO_UDP, 1},   {IPPROTO_UDP, 514}};
    struct exposure_source sources[] = {
        SOURCE(1, 100, "a", "172.30.0.1", first),
        SOURCE(2, 200, "b", "172.30.0.2", second),
    };

    (void)state;
    sources[0].address6 = address("fd30::1");
    sources[1].address6 = address("fd30::2");
    compute(sources, 2);
    assert_int_equal(computed.item_count, 2 * ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < computed.item_count; i++) {
        const struct wire_exposure *item = &computed.items[i];
        size_t place = i % ARRAY_LENGTH(wanted);

        assert_int_equal(item->family, i < ARRAY_LENGTH(wanted) ? IP_FAMILY_4 : IP_FAMILY_6);
        assert_int_equal(item->protocol, wanted[place].protocol);
        assert_int_equal(item->port_first, wanted[place].port);
    }
}

static size_t count_elements(void)
{
    size_t elements = 0;

    for (size_t i = 0; i < computed.item_count; i++)
        elements += computed.items[i].port_last - computed.items[i].port_first + 1U;
    return elements;
}

static void the_maps_may_be_full_and_no_fuller(void **state)
{
    static const struct expose_range one[] = {{IPPROTO_UDP, 0, 1, 1, 1}};
    static const struct expose_range other[] = {{IPPROTO_UDP, 0, 2, 2, 2}};
    const struct exposure_source sources[] = {
        SOURCE(1, 100, "a", "172.30.0.1", all_ports),
        SOURCE(2, 200, "b", "172.30.0.2", one),
        SOURCE(3, 300, "c", "172.30.0.3", other),
    };

    (void)state;
    compute(sources, 2);
    assert_int_equal(count_elements(), MAP_ELEMENTS_MAX);
    assert_int_equal(computed.over_limit_count, 0);
    compute(sources, 3);
    assert_int_equal(count_elements(), MAP_ELEMENTS_MAX);
    assert_int_equal(computed.over_limit_count, 1);
    assert_int_equal(computed.over_limit[0], 3);
}

static void who_exceeds_the_limit_is_left_out_and_frees_its_ports(void **state)
{
    struct exposure_source sources[] = {
        SOURCE(1, 100, "a", "172.30.0.1", all_ports),
        SOURCE(2, 200, "b", "172.30.0.2", web),
    };

    (void)state;
    sources[0].address6 = address("fd30::1"); /* twice 65,535 elements */
    compute(sources, 2);
    assert_int_equal(computed.over_limit_count, 1);
    assert_int_equal(computed.over_limit[0], 1);
    assert_int_equal(backend_of(80), 2);
    assert_int_equal(computed.conflict_count, 0);
}

static void who_is_in_the_maps_is_not_pushed_out_by_an_older_one(void **state)
{
    struct exposure_source sources[] = {
        SOURCE(1, 200, "b", "172.30.0.1", web),
        SOURCE(2, 100, "a", "172.30.0.2", all_ports),
    };

    (void)state;
    sources[0].address6 = address("fd30::1");
    compute(sources, 1);
    compute(sources, 2);
    assert_int_equal(backend_of(80), 1);
    assert_int_equal(computed.over_limit_count, 0); /* 2 + 65,534 */
    assert_int_equal(count_elements(), MAP_ELEMENTS_MAX);
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    compute(NULL, 0);
    assert_int_equal(computed.item_count, 0);
    assert_int_equal(computed.backend_count, 0);
}

/* HOST-3: what is published in one family is not exposed in the other; a port that is in none of the container's
 * families is nobody's. */
static void a_range_of_one_family_has_no_entry_in_the_other(void **state)
{
    static const struct expose_range ranges[] = {
        {IPPROTO_TCP, 1 << FAMILY_INDEX_6, 80, 80, 80},
        {IPPROTO_TCP, 1 << FAMILY_INDEX_4, 81, 81, 81},
    };
    struct exposure_source sources[] = {
        SOURCE(1, 100, "a", "172.30.0.1", ranges),
        SOURCE(2, 200, "b", "172.30.0.2", ranges),
    };

    (void)state;
    compute(sources, 2);
    assert_int_equal(computed.item_count, 1); /* 81 of IPv6 alone has no address to lead to */
    assert_int_equal(backend_of(80), 1);
    assert_int_equal(computed.grant_count, 1);
    assert_int_equal(computed.grants[0].missing_families, 1 << FAMILY_INDEX_6);
    assert_int_equal(computed.conflict_count, 1);
    assert_int_equal(computed.conflicts[0].port_first, 80);
    sources[1].address6 = address("fd30::2");
    compute(sources, 2);
    assert_int_equal(computed.item_count, 2);
    assert_int_equal(backend_of(80), 1);
    assert_int_equal(computed.items[1].family, IP_FAMILY_6);
    assert_int_equal(computed.items[1].port_first, 81);
    assert_int_equal(computed.items[1].backend[15], 2);
    assert_int_equal(computed.conflict_count, 1);
    sources[0].address6 = address("fd30::1"); /* 81 is taken meanwhile */
    compute(sources, 2);
    assert_int_equal(computed.items[1].backend[15], 2);
    assert_int_equal(computed.conflict_count, 2);
}

/* 20,000 ports in both families, 20,000 in one, and 5,536 in one: as many as the maps take; one more is too many. */
static void a_range_of_one_family_counts_once_for_the_limit(void **state)
{
    struct expose_range ranges[] = {
        {IPPROTO_TCP, 0, 1, 20000, 1},
        {IPPROTO_TCP, 1 << FAMILY_INDEX_4, 20001, 40000, 1},
        {IPPROTO_UDP, 1 << FAMILY_INDEX_6, 1, 5536, 1},
    };
    struct exposure_source source = SOURCE(1, 100, "a", "172.30.0.1", ranges);

    (void)state;
    source.address6 = address("fd30::1");
    compute(&source, 1);
    assert_int_equal(computed.over_limit_count, 0);
    ranges[2].port_last++;
    compute(&source, 1);
    assert_int_equal(computed.over_limit_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_oldest_container_gets_a_free_port, make, release),
        cmocka_unit_test_setup_teardown(equally_old_ones_are_ordered_by_id, make, release),
        cmocka_unit_test_setup_teardown(the_incumbent_stays_and_the_other_takes_over, make, release),
        cmocka_unit_test_setup_teardown(a_container_that_came_back_waits_its_turn, make, release),
        cmocka_unit_test_setup_teardown(without_an_address_a_port_is_given_up, make, release),
        cmocka_unit_test_setup_teardown(a_range_is_split_around_what_others_hold, make, release),
        cmocka_unit_test_setup_teardown(a_restarted_watcher_learns_the_incumbents_from_the_map, make, release),
        cmocka_unit_test_setup_teardown(incumbents_in_one_namespace_are_told_apart, make, release),
        cmocka_unit_test_setup_teardown(of_two_with_the_same_entries_the_older_is_the_incumbent, make, release),
        cmocka_unit_test_setup_teardown(the_map_s_ipv6_entries_count_too, make, release),
        cmocka_unit_test_setup_teardown(both_families_are_mirrored_and_sorted, make, release),
        cmocka_unit_test_setup_teardown(many_entries_are_sorted_by_family_protocol_and_port, make, release),
        cmocka_unit_test_setup_teardown(the_maps_may_be_full_and_no_fuller, make, release),
        cmocka_unit_test_setup_teardown(who_exceeds_the_limit_is_left_out_and_frees_its_ports, make, release),
        cmocka_unit_test_setup_teardown(who_is_in_the_maps_is_not_pushed_out_by_an_older_one, make, release),
        cmocka_unit_test_setup_teardown(nothing_gives_nothing, make, release),
        cmocka_unit_test_setup_teardown(a_range_of_one_family_has_no_entry_in_the_other, make, release),
        cmocka_unit_test_setup_teardown(a_range_of_one_family_counts_once_for_the_limit, make, release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
