/* Unit tests of common/address: parsing, printing, containment, classes. */
#include "common/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ip_address parsed(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct ip_subnet parsed_subnet(const char *text)
{
    struct ip_subnet subnet;

    assert_int_equal(ip_subnet_parse(text, &subnet), 0);
    return subnet;
}

static void addresses_survive_a_round_trip(void **state)
{
    static const char *const texts[] = {"0.0.0.0", "10.99.0.50", "255.255.255.255", "::", "fd99::50", "fe80::1"};
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ip_address address = parsed(texts[i]);

        assert_string_equal(ip_address_format(&address, text), texts[i]);
    }
    assert_string_equal(ip_address_format(&(struct ip_address){0}, text), "-");
}

static void malformed_addresses_are_refused(void **state)
{
    static const char *const texts[] = {"", "10.0.0", "10.0.0.256", "10.0.0.1 ", "fe80::1%eth0", ":::", "1.2.3.4/24"};
    struct ip_address address;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(ip_address_parse(texts[i], &address), -EINVAL);
}

static void malformed_subnets_are_refused(void **state)
{
    static const char *const texts[] = {"10.0.0.0",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "fd00::/129",
                                        "/24",
                                        "10.0.0.0/-1",
                                        "1111111111111111111111111111111111111111111111111/8"};
    struct ip_subnet subnet;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(ip_subnet_parse(texts[i], &subnet), -EINVAL);
}

static void mac_addresses_parse_exactly(void **state)
{
    static const char *const wrong[] = {
        "", "02:42:ac:11:00", "02:42:ac:11:00:0g", "02-42-ac-11-00-02", "02:42:ac:11:00:02:", "0242ac110002aaaaa"};
    struct mac_address mac;
    char text[MAC_ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(mac_address_parse("02:42:AC:1e:00:fF", &mac), 0);
    assert_string_equal(mac_address_format(&mac, text), "02:42:ac:1e:00:ff");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(mac_address_parse(wrong[i], &mac), -EINVAL);
}

static void containment_follows_the_prefix(void **state)
{
    static const struct {
        const char *subnet;
        const char *address;
        bool inside;
    } cases[] = {
        {"172.30.0.0/24", "172.30.0.255", true},  {"172.30.0.0/24", "172.30.1.0", false},
        {"172.30.0.77/24", "172.30.0.1", true},   {"172.30.0.0/25", "172.30.0.128", false},
        {"0.0.0.0/0", "8.8.8.8", true},           {"10.0.0.1/32", "10.0.0.1", true},
        {"10.0.0.1/32", "10.0.0.2", false},       {"fd99::/64", "fd99::ffff", true},
        {"fd99::/64", "fd99:0:0:1::", false},     {"::/0", "10.0.0.1", false},
        {"fd99::/65", "fd99::8000:0:0:0", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ip_subnet subnet = parsed_subnet(cases[i].subnet);
        struct ip_address address = parsed(cases[i].address);

        assert_int_equal(ip_subnet_contains(&subnet, &address), cases[i].inside);
    }
}

static void first_and_last_of_a_subnet(void **state)
{
    struct ip_subnet subnet = parsed_subnet("172.30.5.77/23");
    struct ip_address first = ip_subnet_first(&subnet);
    struct ip_address last = ip_subnet_last(&subnet);
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    assert_string_equal(ip_address_format(&first, text), "172.30.4.0");
    assert_string_equal(ip_address_format(&last, text), "172.30.5.255");
}

static void only_host_addresses_are_hosts(void **state)
{
    static const char *const hosts[] = {"10.0.0.1", "169.254.1.1", "fd99::1", "fe80::1", "2001:db8::1"};
    static const char *const others[] = {"0.0.0.0",   "0.1.2.3",         "127.0.0.1", "224.0.0.1", "239.1.1.1",
                                         "240.0.0.1", "255.255.255.255", "::",        "::1",       "ff02::1"};
    struct ip_address none = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct ip_address address = parsed(hosts[i]);

        assert_true(ip_address_is_host(&address));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct ip_address address = parsed(others[i]);

        assert_false(ip_address_is_host(&address));
    }
    assert_false(ip_address_is_host(&none));
}

static void addresses_order_by_family_then_bytes(void **state)
{
    struct ip_address four = parsed("255.0.0.1");
    struct ip_address six = parsed("::1");
    struct ip_address other_six = parsed("::2");

    (void)state;
    assert_true(ip_address_compare(&four, &six) < 0);
    assert_true(ip_address_compare(&six, &other_six) < 0);
    assert_true(ip_address_equal(&six, &six));
}

static void a_place_of_ipv6_has_brackets(void **state)
{
    struct ip_address address;

    (void)state;
    assert_int_equal(ip_address_parse("192.0.2.5", &address), 0);
    assert_string_equal(IP_PLACE_TEXT(&address, 80), "192.0.2.5:80");
    assert_int_equal(ip_address_parse("2001:db8:1111:2222:3333:4444:5555:6666", &address), 0);
    assert_string_equal(IP_PLACE_TEXT(&address, UINT16_MAX), "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_survive_a_round_trip), cmocka_unit_test(malformed_addresses_are_refused),
        cmocka_unit_test(malformed_subnets_are_refused),  cmocka_unit_test(mac_addresses_parse_exactly),
        cmocka_unit_test(containment_follows_the_prefix), cmocka_unit_test(first_and_last_of_a_subnet),
        cmocka_unit_test(only_host_addresses_are_hosts),  cmocka_unit_test(addresses_order_by_family_then_bytes),
        cmocka_unit_test(a_place_of_ipv6_has_brackets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
