/* Unit tests of workers/control/network_words: netadmin's facts in words, once for each (ADDR-13, NAT-13, WALL-1). */
#include "workers/control/network_words.h"

#include "common/log.h"
#include "tests/unit/log_capture.h"

static struct message_network_report nothing;

static struct wire_address wire(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return wire_address_from(&address);
}

/* A report with one problem of `kind`, and links and addresses for each word of it. */
static struct message_network_report report_of(enum network_problem_kind kind, const char *address)
{
    struct message_network_report report = {
        .external = {.name = "eth0"},
        .problem_count = 1,
        .problems[0] = {.kind = (uint8_t)kind, .family = IP_FAMILY_4, .number = 3, .limit = 128, .name = "eth1"},
    };

    report.problems[0].address = wire(address);
    report.problems[0].prefix_length = 8;
    report.problems[0].inner = wire("10.30.0.0");
    report.problems[0].inner_length = 24;
    return report;
}

static const char *logged(struct network_words *words, const struct message_network_report *before,
                          const struct message_network_report *now)
{
    struct capture capture;

    capture_begin(&capture);
    network_words_log(words, before, now);
    return capture_end(&capture);
}

static void each_problem_has_its_words_once(void **state)
{
    static const struct {
        enum network_problem_kind kind;
        const char *log;
        enum problem problem;
        const char *status;
    } rows[] = {
        {NETWORK_PROBLEM_DUPLICATE, "another host on the LAN has this address already", PROBLEM_DUPLICATE_ADDRESS,
         "(MAC: not known)"},
        {NETWORK_PROBLEM_ROUTES, "a router advertises routes that are not taken", PROBLEM_ROUTES_NOT_TAKEN,
         "router 10.0.0.0 advertises"},
        {NETWORK_PROBLEM_INNER, "address from the LAN refused", PROBLEM_INNER_ADDRESS,
         "lies in the inner network 10.30.0.0/24 (eth1)"},
        {NETWORK_PROBLEM_OVERLAP, "\"lan\":\"10.0.0.0/8\"", PROBLEM_LAN_CONTAINS_INNER,
         "the LAN, 10.0.0.0/8, contains the inner network"},
        {NETWORK_PROBLEM_LINKS, "too many interfaces", PROBLEM_TOO_MANY_INTERFACES, "3 beyond what is looked at"},
        {NETWORK_PROBLEM_LINK_ADDRESSES, "more addresses on an inner interface", PROBLEM_TOO_MANY_LINK_ADDRESSES,
         "3 addresses of eth1 beyond"},
        {NETWORK_PROBLEM_INNER_NETWORKS, "\"guarded\":128,\"left_out\":3", PROBLEM_TOO_MANY_INNER_NETWORKS,
         "3 beyond what is looked at"},
        {NETWORK_PROBLEM_FORWARDING6, "IPv6 forwarding is off", PROBLEM_FORWARDING_OFF, ""},
        {NETWORK_PROBLEM_VIA_HOST, "\"variable\":\"ANCHORD_VIA_HOST\"", PROBLEM_VIA_HOST_INNER,
         "10.0.0.0/8 lies in 10.30.0.0/24 (eth1)"},
        {NETWORK_PROBLEM_CONTESTED, "another host has this address, too", PROBLEM_DUPLICATE_ADDRESS,
         "another host has 10.0.0.0, too (eth1, MAC: not known)"},
    };

    (void)state;
    assert_int_equal(ARRAY_LENGTH(rows), NETWORK_PROBLEM_KIND_MAX_ - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct message_network_report now = report_of(rows[i].kind, "10.0.0.0");
        struct network_words words = {0};
        char line[NETWORK_WORDS_SIZE] = "left over";
        char code[PROBLEM_CODE_SIZE];
        const char *written;

        written = logged(&words, &nothing, &now);
        assert_non_null(strstr(written, rows[i].log));
        assert_non_null(strstr(written, problem_code(rows[i].problem, code))); /* SEE-1 */
        assert_string_equal(logged(&words, &now, &now), "");
        assert_int_equal(network_words_describe(&now.problems[0], line), rows[i].problem);
        assert_non_null(strstr(line, rows[i].status));
        assert_true(rows[i].status[0] != '\0' || line[0] == '\0');
    }
}

/* A router can bring one after the other; the log hears of the first, second, fourth, eighth. */
static void what_comes_under_ever_new_names_is_said_ever_more_seldom(void **state)
{
    static const char *const addresses[] = {"10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5",
                                            "10.1.0.6", "10.1.0.7", "10.1.0.8", "10.1.0.9"};
    struct network_words words = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        struct message_network_report now = report_of(NETWORK_PROBLEM_INNER, addresses[i]);
        bool is_power_of_two = ((i + 1) & i) == 0;

        assert_int_equal(strstr(logged(&words, &nothing, &now), addresses[i]) != NULL, is_power_of_two);
    }
}

/* Who has the address is often found later; then that it is free again. */
static void a_duplicate_is_followed_to_its_end(void **state)
{
    struct message_network_report now = report_of(NETWORK_PROBLEM_DUPLICATE, "192.0.2.5");
    struct message_network_report known = now, ended = {.external = {.address_count = 1}};
    struct network_words words = {0};

    (void)state;
    known.problems[0].mac = (struct mac_address){{2, 0, 0, 0, 0, 9}};
    ended.external.addresses[0].address = now.problems[0].address;
    (void)logged(&words, &nothing, &now);
    assert_non_null(strstr(logged(&words, &now, &known), "\"mac\":\"02:00:00:00:00:09\""));
    assert_string_equal(logged(&words, &known, &known), "");
    assert_non_null(strstr(logged(&words, &known, &ended), "can be used now"));
    ended.external.address_count = 0; /* given up: not ours any more, either */
    assert_string_equal(logged(&words, &known, &ended), "");
}

/* Anybody can claim it: it is said ever more seldom, and its end as often. */
static void a_contested_address_is_said_and_that_it_is_over(void **state)
{
    struct message_network_report now = report_of(NETWORK_PROBLEM_CONTESTED, "192.0.2.5");
    struct message_network_report ended = {.external = {.address_count = 1}};
    struct network_words words = {0};

    (void)state;
    now.problems[0].mac = (struct mac_address){{2, 0, 0, 0, 0, 9}};
    ended.external.addresses[0].address = now.problems[0].address;
    for (unsigned int i = 1; i <= 8; i++) {
        bool is_power_of_two = (i & (i - 1)) == 0;

        assert_int_equal(strstr(logged(&words, &ended, &now), "\"mac\":\"02:00:00:00:00:09\"") != NULL,
                         is_power_of_two);
        assert_int_equal(strstr(logged(&words, &now, &ended), "no other host has this address any more") != NULL,
                         is_power_of_two);
    }
}

static void a_link_is_said_when_it_comes_and_when_it_is_missing(void **state)
{
    struct message_network_report missing = {.shared = {.mac = {{2, 0, 0, 0, 0, 1}}}};
    struct message_network_report found = missing;
    struct network_words words = {0};

    (void)state;
    found.shared.index = 7;
    assert_non_null(strstr(logged(&words, &nothing, &missing), "shared interface not there"));
    assert_non_null(strstr(logged(&words, &missing, &found), "shared interface resolved\""));
    assert_string_equal(logged(&words, &found, &found), "");
}

static void a_gateway_is_said_with_each_decision(void **state)
{
    struct message_network_report none = {.external = {.index = 3}}, chosen;
    struct network_words words = {0};

    (void)state;
    none.gateways[FAMILY_INDEX_4] = (struct wire_reported_gateway){
        .source = GATEWAY_SOURCE_LEASE, .decision = 1, .is_expected = 1, .is_link_up = 1};
    chosen = none;
    chosen.gateways[FAMILY_INDEX_4].decision = 2;
    chosen.gateways[FAMILY_INDEX_4].address = wire("192.0.2.1");
    assert_non_null(strstr(logged(&words, &nothing, &none), "the lease's gateway is not on link"));
    assert_string_equal(logged(&words, &none, &none), "");
    assert_non_null(strstr(logged(&words, &none, &chosen), "\"gateway\":\"192.0.2.1\",\"source\":\"lease\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_problem_has_its_words_once),
        cmocka_unit_test(what_comes_under_ever_new_names_is_said_ever_more_seldom),
        cmocka_unit_test(a_duplicate_is_followed_to_its_end),
        cmocka_unit_test(a_contested_address_is_said_and_that_it_is_over),
        cmocka_unit_test(a_link_is_said_when_it_comes_and_when_it_is_missing),
        cmocka_unit_test(a_gateway_is_said_with_each_decision),
    };

    log_initialise("test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
