/*
 * Unit tests of whose lists and limits a state has (GUEST-1, GUEST-3): of the ports that a container has got and no
 * others; who does not fit is named; and what people read.
 */
#include "workers/watcher/guests.h"

#include "common/cleanup.h"
#include "protocol/guest_label.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void parse(const char *allow, const char *limit, struct guest_list *ret)
{
    struct guest_list limits = {0};
    struct guest_error error;

    assert_int_equal(guest_label_parse(allow, GUEST_TEXT_ALLOW, NULL, ret, &error), 0);
    assert_int_equal(guest_label_parse(limit, GUEST_TEXT_LIMIT, NULL, &limits, &error), 0);
    assert_int_equal(guest_list_add_all(ret, &limits), 0);
    guest_list_sort(ret);
    guest_list_clear(&limits);
}

#define GRANT(source_, first_, last_)                   \
    {                                                   \
        (source_), IPPROTO_TCP, (first_), (last_), 1, 0 \
    }

static void only_of_the_ports_that_it_has(void **state)
{
    CLEANUP(guest_list_clear) struct guest_list lists = {0}, wanted = {0}, got = {0};
    const struct exposure_source open = {.serial = 1}, listed = {.serial = 2, .guests = &lists};
    const struct exposure_grant grants[] = {GRANT(&open, 80, 80), GRANT(&listed, 100, 110), GRANT(&listed, 120, 120)};
    const struct exposure_result computed = {.grants = grants, .grant_count = 3};
    uint32_t over = 7;

    (void)state;
    parse("tcp/1-115 from 10.0.0.0/8, tcp/80 from ::1, udp/1-65535 from ::1",
          "tcp/120 1/second per source, tcp/80 1/second per source", &lists);
    parse("tcp/100-110 from 10.0.0.0/8", "tcp/120 1/second per source", &wanted);
    assert_int_equal(guests_collect(&computed, &got, &over), 0);
    assert_int_equal(over, 0);
    assert_true(guest_list_equal(&got, &wanted));
    assert_null(guest_list_check(&got));
}

/* What is published in another way in each family stands twice among the grants (HOST-3). */
static void ports_that_stand_twice_have_one_list(void **state)
{
    CLEANUP(guest_list_clear) struct guest_list lists = {0}, got = {0};
    const struct exposure_source listed = {.serial = 2, .guests = &lists};
    const struct exposure_grant grants[] = {GRANT(&listed, 80, 90), GRANT(&listed, 85, 95), GRANT(&listed, 86, 87)};
    const struct exposure_result computed = {.grants = grants, .grant_count = 3};
    uint32_t over;

    (void)state;
    parse("tcp/1-65535 from 10.0.0.0/8", "tcp/86 1/second per source", &lists);
    assert_int_equal(guests_collect(&computed, &got, &over), 0);
    assert_null(guest_list_check(&got));
    for (uint16_t port = 80; port <= 95; port++)
        assert_true(guest_list_names(&got, GUEST_PORTS, IPPROTO_TCP, port));
    assert_int_equal(guest_list_count(&got, GUEST_LIMIT), 1);
}

static void who_does_not_fit_is_named(void **state)
{
    CLEANUP(guest_list_clear) struct guest_list lists = {0}, got = {0};
    struct exposure_source sources[5];
    struct exposure_grant grants[5];
    const struct exposure_result computed = {.grants = grants, .grant_count = 5};
    const struct exposure_result fits = {.grants = grants, .grant_count = 4};
    char text[GUEST_TEXT_SIZE] = "tcp/1-10 from";
    uint32_t over = 0;

    (void)state;
    for (size_t i = 0; i < GUEST_SOURCES_PER_LABEL_MAX; i++)
        (void)sprintf(text + strlen(text), " %zu.%zu.0.0/16", i / 250 + 1, i % 250);
    parse(text, "", &lists);
    for (size_t i = 0; i < 5; i++) {
        sources[i] = (struct exposure_source){.serial = (uint32_t)i + 1, .guests = &lists};
        grants[i] = (struct exposure_grant)GRANT(&sources[i], (uint16_t)(i + 1), (uint16_t)(i + 1));
    }
    assert_int_equal(guests_collect(&computed, &got, &over), 0);
    assert_int_equal(over, 5);
    assert_int_equal(got.count, 0);
    assert_int_equal(guests_collect(&fits, &got, &over), 0);
    assert_int_equal(over, 0);
    assert_int_equal(guest_list_count(&got, GUEST_SOURCE), GUEST_SOURCES_MAX);
    assert_null(guest_list_check(&got));
}

static void what_people_read(void **state)
{
    CLEANUP(guest_list_clear) struct guest_list lists = {0}, many = {0};
    char text[GUESTS_TEXT_SIZE], label[GUEST_TEXT_SIZE] = "tcp/1-10 from";

    (void)state;
    parse("tcp/80-90 from 10.0.0.0/8 2001:db8::/32, tcp/95 from ::1", "tcp/80 10/minute per source", &lists);
    guests_describe(&lists, IPPROTO_TCP, 85, 86, text);
    assert_string_equal(text, "from 10.0.0.0/8 2001:db8::/32");
    guests_describe(&lists, IPPROTO_TCP, 80, 80, text);
    assert_string_equal(text, "from 10.0.0.0/8 2001:db8::/32, 10/minute per source, burst 5");
    guests_describe(&lists, IPPROTO_TCP, 90, 100, text);
    assert_string_equal(text, "90 from 10.0.0.0/8 2001:db8::/32, 95 from ::1/128");
    guests_describe(&lists, IPPROTO_UDP, 80, 80, text);
    assert_string_equal(text, "");
    for (size_t i = 0; i < 100; i++)
        (void)sprintf(label + strlen(label), " 10.%zu.0.0/16", i);
    parse(label, "", &many);
    guests_describe(&many, IPPROTO_TCP, 1, 10, text);
    assert_string_equal(text,
                        "from 10.0.0.0/16 10.1.0.0/16 10.2.0.0/16 10.3.0.0/16 10.4.0.0/16 10.5.0.0/16 10.6.0.0/16 "
                        "10.7.0.0/16 10.8.0.0/16 10.9.0.0/16 and 90 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_of_the_ports_that_it_has),
        cmocka_unit_test(ports_that_stand_twice_have_one_list),
        cmocka_unit_test(who_does_not_fit_is_named),
        cmocka_unit_test(what_people_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
