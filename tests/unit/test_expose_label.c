/*
 * Unit tests of the expose labels: DISC-3's grammar with each error's position, NAT-5's ranges, NAT-7's switch.
 */
#include "protocol/expose_label.h"

#include "common/cleanup.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct good_case {
    const char *label;
    int count;
    struct expose_range ranges[3];
};

static const struct good_case good_cases[] = {
    {"", 0, {{0}}},
    {" \t\n", 0, {{0}}},
    {"tcp/80", 1, {{IPPROTO_TCP, 0, 80, 80, 80}}},
    {"UDP/53", 1, {{IPPROTO_UDP, 0, 53, 53, 53}}},
    {" tCp / 80 : 8080 ", 1, {{IPPROTO_TCP, 0, 80, 80, 8080}}},
    {"tcp/1,tcp/65535", 2, {{IPPROTO_TCP, 0, 1, 1, 1}, {IPPROTO_TCP, 0, 65535, 65535, 65535}}},
    {"tcp/636:6636", 1, {{IPPROTO_TCP, 0, 636, 636, 6636}}},
    {"udp/10000-20000", 1, {{IPPROTO_UDP, 0, 10000, 20000, 10000}}},
    {"tcp/8000-8010:9000-9010", 1, {{IPPROTO_TCP, 0, 8000, 8010, 9000}}},
    {"tcp/8000 - 8010 : 9000 - 9010", 1, {{IPPROTO_TCP, 0, 8000, 8010, 9000}}},
    {"tcp/80-80:81", 1, {{IPPROTO_TCP, 0, 80, 80, 81}}},
    {"tcp/00080", 1, {{IPPROTO_TCP, 0, 80, 80, 80}}},
    {"udp/53,\ttcp/53 ,\ntcp/25",
     3,
     {{IPPROTO_TCP, 0, 25, 25, 25}, {IPPROTO_TCP, 0, 53, 53, 53}, {IPPROTO_UDP, 0, 53, 53, 53}}},
    /* Named twice alike: one. */
    {"tcp/80,tcp/80", 1, {{IPPROTO_TCP, 0, 80, 80, 80}}},
    {"tcp/80-90,tcp/85-95", 1, {{IPPROTO_TCP, 0, 80, 95, 80}}},
    {"tcp/80-90,tcp/85", 1, {{IPPROTO_TCP, 0, 80, 90, 80}}},
    /* Two external ports on one backend port are allowed (SPEC 0). */
    {"tcp/80:8080,tcp/81:8080", 2, {{IPPROTO_TCP, 0, 80, 80, 8080}, {IPPROTO_TCP, 0, 81, 81, 8080}}},
};

struct bad_case {
    const char *label;
    size_t position;
    const char *reason;
};

static const struct bad_case bad_cases[] = {
    {"tcp", 4, "a slash and a port are missing behind the protocol"},
    {"tcp 80", 5, "a slash and a port are missing behind the protocol"},
    {"tcp/", 5, "a port is missing"},
    {"tcp/ ,udp/1", 6, "a port is missing"},
    {"tcp/http", 5, "a port is missing"},
    {"tcp/-1", 5, "a port is missing"},
    {"tcp/+80", 5, "a port is missing"},
    {"tcp/0", 5, "the port is not between 1 and 65535"},
    {"tcp/65536", 5, "the port is not between 1 and 65535"},
    {"tcp/99999999999999999999999999", 5, "the port is not between 1 and 65535"},
    {"sctp/80", 1, "the protocol is neither tcp nor udp"},
    {"tcpx/80", 1, "the protocol is neither tcp nor udp"},
    {"/80", 1, "a protocol is missing"},
    {"80", 1, "the protocol is neither tcp nor udp"},
    {"tcp/80:", 8, "a port is missing"},
    {"tcp/80: ,tcp/81", 9, "a port is missing"},
    {"tcp/80:0", 8, "the port is not between 1 and 65535"},
    {"tcp/80:65536", 8, "the port is not between 1 and 65535"},
    {"tcp/80:81:82", 10, "neither a comma nor the end of the label"},
    {"tcp/80 81", 8, "neither a comma nor the end of the label"},
    {"tcp/80;tcp/81", 7, "neither a comma nor the end of the label"},
    {"tcp/80-", 8, "a port is missing"},
    {"tcp/90-80", 5, "the range ends before it begins"},
    {"tcp/80-90-95", 10, "neither a comma nor the end of the label"},
    {"tcp/80-90:9000", 11, "the two ranges are not equally long"},
    {"tcp/80-90: 9000-9009", 12, "the two ranges are not equally long"},
    {"tcp/80:90-91", 8, "the two ranges are not equally long"},
    {"tcp/80:9000-90", 8, "the range ends before it begins"},
    {"tcp/65000-65535:65001-65536", 23, "the port is not between 1 and 65535"},
    {"tcp/25, tcp/80,tcp/80:81", 16, "the port stands twice, with two backend ports"},
    {"tcp/85:1,tcp/80-90", 10, "the port stands twice, with two backend ports"},
};

static void good_labels_give_sorted_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good_cases); i++) {
        const struct good_case *expected = &good_cases[i];
        CLEANUP_FREE struct expose_range *ranges = NULL;
        struct expose_error error = {0};
        int count = expose_label_parse(expected->label, &ranges, &error);

        print_message("%s\n", expected->label);
        assert_int_equal(count, expected->count);
        assert_true((ranges == NULL) == (count == 0));
        for (int j = 0; ranges && j < count; j++) {
            assert_int_equal(ranges[j].protocol, expected->ranges[j].protocol);
            assert_int_equal(ranges[j].port_first, expected->ranges[j].port_first);
            assert_int_equal(ranges[j].port_last, expected->ranges[j].port_last);
            assert_int_equal(ranges[j].backend_port_first, expected->ranges[j].backend_port_first);
        }
    }
}

static void bad_labels_name_position_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad_cases); i++) {
        struct expose_range untouched;
        struct expose_range *ranges = &untouched;
        struct expose_error error = {0};

        print_message("%s\n", bad_cases[i].label);
        assert_int_equal(expose_label_parse(bad_cases[i].label, &ranges, &error), -EINVAL);
        assert_ptr_equal(ranges, &untouched);
        assert_string_equal(error.reason, bad_cases[i].reason);
        assert_int_equal(error.position, bad_cases[i].position);
    }
}

/* `count` items "tcp/N:1,", which no two ranges join. */
static char *long_label(unsigned int count)
{
    char *label = calloc(count, 16);
    size_t length = 0;

    assert_non_null(label);
    for (unsigned int i = 1; i <= count; i++)
        length += (size_t)snprintf(label + length, 16, "%stcp/%u:1", i > 1 ? "," : "", i);
    return label;
}

static void the_number_of_ranges_is_limited(void **state)
{
    CLEANUP_FREE char *at_limit = long_label(EXPOSE_RANGES_MAX);
    CLEANUP_FREE char *past_limit = long_label(EXPOSE_RANGES_MAX + 1);
    CLEANUP_FREE struct expose_range *ranges = NULL;
    struct expose_error error = {0};

    (void)state;
    assert_int_equal(expose_label_parse(at_limit, &ranges, &error), EXPOSE_RANGES_MAX);
    free_pointer(&ranges);
    assert_int_equal(expose_label_parse(past_limit, &ranges, &error), -EINVAL);
    assert_string_equal(error.reason, "more ports than a label may name");
}

/* DISC-3: a comma too many is no error. */
static void empty_entries_are_ignored(void **state)
{
    static const char *const labels[] = {"tcp/25,", ",tcp/25", "tcp/25, ,", ",,tcp/25 , , ", "tcp/25,tcp/25,"};
    static const char *const empty[] = {",", " , ,, "};
    struct expose_error error = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(labels); i++) {
        CLEANUP_FREE struct expose_range *ranges = NULL;

        print_message("%s\n", labels[i]);
        assert_int_equal(expose_label_parse(labels[i], &ranges, &error), 1);
        assert_int_equal(ranges[0].port_first, 25);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(empty); i++) {
        struct expose_range *ranges = NULL;

        assert_int_equal(expose_label_parse(empty[i], &ranges, &error), 0);
        assert_null(ranges);
    }
}

static void v6_is_auto_or_off(void **state)
{
    (void)state;
    assert_int_equal(expose_v6_label_parse("auto"), 1);
    assert_int_equal(expose_v6_label_parse(" Auto "), 1);
    assert_int_equal(expose_v6_label_parse(""), 1);
    assert_int_equal(expose_v6_label_parse("off"), 0);
    assert_int_equal(expose_v6_label_parse("OFF\n"), 0);
    assert_int_equal(expose_v6_label_parse("false"), 0); /* what YAML makes of an unquoted off (NAT-7) */
    assert_int_equal(expose_v6_label_parse("No"), 0);
    assert_int_equal(expose_v6_label_parse("0"), 0);
    assert_int_equal(expose_v6_label_parse("on"), -EINVAL);
    assert_int_equal(expose_v6_label_parse("of"), -EINVAL);
    assert_int_equal(expose_v6_label_parse("auto off"), -EINVAL);
    assert_int_equal(expose_v6_label_parse("automatic"), -EINVAL);
}

static void when_is_started_or_healthy(void **state)
{
    (void)state;
    assert_int_equal(expose_when_label_parse("started"), 0);
    assert_int_equal(expose_when_label_parse(""), 0);
    assert_int_equal(expose_when_label_parse("healthy"), 1);
    assert_int_equal(expose_when_label_parse(" Healthy\t"), 1);
    assert_int_equal(expose_when_label_parse("unhealthy"), -EINVAL);
    assert_int_equal(expose_when_label_parse("health"), -EINVAL);
    assert_int_equal(expose_when_label_parse("started healthy"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_labels_give_sorted_ranges),  cmocka_unit_test(bad_labels_name_position_and_reason),
        cmocka_unit_test(the_number_of_ranges_is_limited), cmocka_unit_test(v6_is_auto_or_off),
        cmocka_unit_test(empty_entries_are_ignored),       cmocka_unit_test(when_is_started_or_healthy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
