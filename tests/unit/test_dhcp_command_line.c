/* Unit tests of daemon/dhcp/dhcp_command_line and of the host name behind it (ADDR-4, ADDR-5). */
#include "common/cleanup.h"
#include "daemon/configuration/configuration_parse.h"
#include "daemon/dhcp/dhcp_command_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SCRIPT "/usr/libexec/anchord/anchord-lease"
#define SOCKET "/run/anchord/lease.sock"

static const struct dhcp_places places = {"/run/anchord/dhcpcd.conf", SCRIPT, SOCKET};
static const struct ip_address none;

static struct configuration configured(const char *name)
{
    struct configuration configuration = {.log_level = LOG_LEVEL_INFO, .dhcp_arp_probe = true};

    assert_null(configuration_parse_dhcp_name(name, configuration.dhcp_name));
    configuration_parse_make_dhcp_host_name(name, configuration.dhcp_host_name);
    return configuration;
}

static bool has(const struct dhcp_command_line *line, const char *argument)
{
    for (size_t i = 0; line->arguments[i]; i++) {
        if (strcmp(line->arguments[i], argument) == 0)
            return true;
    }
    return false;
}

/* The bytes after 00:04 are FNV-1a of "anchordmailcow", with version and variant of RFC 9562. */
static void unique_identifier_comes_from_the_name_alone(void **state)
{
    char one[DHCP_UNIQUE_IDENTIFIER_SIZE], again[DHCP_UNIQUE_IDENTIFIER_SIZE], other[DHCP_UNIQUE_IDENTIFIER_SIZE];

    (void)state;
    dhcp_command_line_unique_identifier("mailcow", one);
    dhcp_command_line_unique_identifier("mailcow", again);
    dhcp_command_line_unique_identifier("mailcom", other);
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    assert_int_equal(strlen(one), DHCP_UNIQUE_IDENTIFIER_SIZE - 1);
    assert_string_equal(one, "00:04:33:5a:b9:56:f4:4e:8b:90:b6:09:d3:ad:40:6f:52:f2");
}

static void safety_is_on_the_command_line(void **state)
{
    static const char *const always[] = {
        "--config=/run/anchord/dhcpcd.conf",
        "--nobackground",
        "--quiet",
        "--logfile=/proc/self/fd/1",
        "--noconfigure",
        "--noipv4ll",
        "--noipv6rs",
        "--persistent",
        "--reboot=2",
        "--script=/usr/libexec/anchord/anchord-lease",
        "--hostname=mail",
        "--env=ANCHORD_LEASE_SOCKET=/run/anchord/lease.sock",
    };
    const struct configuration configuration = configured("mail");

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct dhcp_command_line line;

        assert_int_equal(
            dhcp_command_line_make(&configuration, i ? IP_FAMILY_6 : IP_FAMILY_4, "eth0", &places, &none, &line), 0);
        assert_string_equal(line.arguments[0], "dhcpcd");
        assert_string_equal(line.arguments[line.count - 1], "eth0");
        assert_null(line.arguments[line.count]);
        for (size_t j = 0; j < ARRAY_LENGTH(always); j++)
            assert_true(has(&line, always[j]));
        assert_true(has(&line, i ? "--ipv6only" : "--ipv4only"));
        assert_false(has(&line, i ? "--ipv4only" : "--ipv6only"));
        assert_int_equal(has(&line, "--clientid=\"mail\""), i == 0);
        assert_int_equal(has(&line, "--ia_na=1"), i == 1);
        assert_false(has(&line, "--noarp"));
    }
}

static void options_follow_the_configuration(void **state)
{
    struct configuration configuration = configured("mail");
    struct dhcp_command_line line;

    (void)state;
    configuration.dhcp_arp_probe = false;
    assert_int_equal(dhcp_command_line_make(&configuration, IP_FAMILY_4, "eth0", &places, &none, &line), 0);
    assert_true(has(&line, "--noarp"));
    /* What a lease is made of beyond its times (ADDR-11, NAT-12). */
    assert_true(has(&line, "--option=subnet_mask,routers,classless_static_routes,interface_mtu"));
}

static void what_does_not_fit_is_refused(void **state)
{
    const struct configuration configuration = configured("mail");
    char path[DHCP_COMMAND_TEXT_MAX + 1];
    struct dhcp_command_line line;

    (void)state;
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(dhcp_command_line_make(&configuration, IP_FAMILY_4, "eth0",
                                            &(struct dhcp_places){"/x", path, SOCKET}, &none, &line),
                     -E2BIG);
}

static void host_names_are_those_of_rfc_1123(void **state)
{
    static const char *const good[] = {"a",  "mailcow", "Mail-Cow", "mail.example.test",
                                       "1a", "a--b",    "my_proj",  "_a_._b"};
    static const char *const bad[] = {"-a", "a-", "a..b", ".a", "a.", "a.-b", "a b", "a\"b", "\xc3\xa4", "a/b"};
    char name[DHCP_NAME_SIZE];
    char longest[DHCP_NAME_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_null(configuration_parse_dhcp_name(good[i], name));
        assert_string_equal(name, good[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_non_null(configuration_parse_dhcp_name(bad[i], name));
    memset(longest, 'a', sizeof(longest));
    longest[DHCP_NAME_SIZE] = '\0';
    assert_non_null(configuration_parse_dhcp_name(longest, name));
    longest[DHCP_NAME_SIZE - 1] = '\0';
    assert_null(configuration_parse_dhcp_name(longest, name));
}

static void a_projects_name_becomes_a_host_name(void **state)
{
    static const struct {
        const char *project;
        const char *host_name;
    } cases[] = {
        {"mailcow", "mailcow"},
        {"mail_cow", "mail-cow"},
        {"_x_", "x"},
        {"nextcloud.aio", "nextcloud.aio"},
        {"a_.b", "a--b"},
        {"a.-b", "a--b"},
        {"..a..b.", "a--b"},
        {"my_proj.lan", "my-proj.lan"},
        {"___", "anchord"},
        {"a b\"c", "a-b-c"},
        {"0123456789012345678901234567890123456789012345_8", "0123456789012345678901234567890123456789012345"},
    };
    char name[DHCP_NAME_SIZE], parsed[DHCP_NAME_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        configuration_parse_make_dhcp_host_name(cases[i].project, name);
        assert_string_equal(name, cases[i].host_name);
        assert_null(configuration_parse_dhcp_name(name, parsed));
    }
}

/* ADDR-5: a reservation that was made for it goes on. */
static void identifiers_carry_the_name_letter_for_letter(void **state)
{
    const struct configuration configuration = configured("my_proj");
    char name[DHCP_NAME_SIZE], long_name[DHCP_NAME_SIZE + 1], identifier[DHCP_UNIQUE_IDENTIFIER_SIZE], duid[64];
    struct dhcp_command_line line;

    (void)state;
    assert_int_equal(dhcp_command_line_make(&configuration, IP_FAMILY_4, "eth0", &places, &none, &line), 0);
    assert_true(has(&line, "--clientid=\"my_proj\""));
    assert_true(has(&line, "--hostname=my-proj"));
    dhcp_command_line_unique_identifier("my_proj", identifier);
    (void)snprintf(duid, sizeof(duid), "--duid=%s", identifier);
    assert_true(has(&line, duid));
    assert_true(configuration_parse_make_dhcp_name("my_proj: 7/1~", name));
    assert_string_equal(name, "my_proj: 7/1~");
    assert_false(configuration_parse_make_dhcp_name("a\"b\\c\nd\x7f\xc3", name));
    assert_string_equal(name, "a-b-c-d--");
    memset(long_name, 'a', sizeof(long_name));
    long_name[DHCP_NAME_SIZE] = '\0';
    assert_false(configuration_parse_make_dhcp_name(long_name, name));
    long_name[DHCP_NAME_SIZE - 1] = '\0';
    assert_true(configuration_parse_make_dhcp_name(long_name, name));
    assert_string_equal(name, long_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unique_identifier_comes_from_the_name_alone),
        cmocka_unit_test(safety_is_on_the_command_line),
        cmocka_unit_test(options_follow_the_configuration),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(host_names_are_those_of_rfc_1123),
        cmocka_unit_test(identifiers_carry_the_name_letter_for_letter),
        cmocka_unit_test(a_projects_name_becomes_a_host_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
