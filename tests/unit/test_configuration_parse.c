/* Unit tests of daemon/configuration/configuration_parse: the grammars of the variables' values (SPEC §2, §10). */
#include "common/cleanup.h"
#include "daemon/configuration/configuration_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void reads_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t milliseconds;
    } good[] = {
        {"30s", 30000},     {"5m", 300000},
        {"1h30m", 5400000}, {"500ms", 500},
        {"30", 30000},      {"0", 0},
        {"0s", 0},          {"1h2m3s4ms", 3723004},
        {"1.5s", 1500},     {"0.25h", 900000},
        {"1m0.5s", 60500},  {"1.0005s", 1000},
        {"2.5", 2500},      {"1.999999999999s", 1999},
    };
    static const char *const bad[] = {"",    "s",  "ms", "1x",  "1.s",  ".5s",   "1.5.5s", "1.",  ".",  "1..5s",
                                      "-1s", "+1", " 1", "1 s", "1h30", "30m1h", "1m1m",   "1sm", "1S", "never"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        uint64_t milliseconds = 1;

        assert_int_equal(configuration_parse_duration(good[i].text, &milliseconds), 0);
        assert_int_equal(milliseconds, good[i].milliseconds);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        uint64_t milliseconds = 42;

        assert_int_equal(configuration_parse_duration(bad[i], &milliseconds), -EINVAL);
        assert_int_equal(milliseconds, 42);
    }
    assert_int_equal(configuration_parse_duration("99999999999999999999h", &(uint64_t){0}), -ERANGE);
}

static void interval_has_limits(void **state)
{
    uint64_t milliseconds = 0;

    (void)state;
    assert_null(configuration_parse_interval("1ms", &milliseconds));
    assert_int_equal(milliseconds, 1);
    assert_null(configuration_parse_interval("4294967295ms", &milliseconds));
    assert_int_equal(milliseconds, UINT32_MAX);
    assert_string_equal(configuration_parse_interval("4294967296ms", &milliseconds), "is too long: 49 days at most");
    assert_string_equal(configuration_parse_interval("4294968s", &milliseconds), "is too long: 49 days at most");
    assert_string_equal(configuration_parse_interval("0ms", &milliseconds), "must be more than 0");
    assert_int_equal(milliseconds, UINT32_MAX);
    assert_string_equal(configuration_parse_interval("0.0001s", &milliseconds), "must be more than 0");
    assert_null(configuration_parse_delay("0", &milliseconds));
    assert_int_equal(milliseconds, 0);
    assert_string_equal(configuration_parse_delay("4294967296ms", &milliseconds), "is too long: 49 days at most");
}

static void white_space_around_a_name_may_not_count(void **state)
{
    char name[NAME_SIZE] = "x", text[NAME_SIZE + 8];

    (void)state;
    assert_null(configuration_parse_padded_name(" \tbus\n", name));
    assert_string_equal(name, "bus");
    assert_null(configuration_parse_padded_name("bus", name));
    assert_string_equal(configuration_parse_padded_name("two words", name),
                        "must not contain white space or control characters");
    memset(text, 'a', sizeof(text));
    text[0] = text[NAME_SIZE] = ' ';
    text[NAME_SIZE + 1] = '\0';
    assert_null(configuration_parse_padded_name(text, name));
    assert_int_equal(strlen(name), NAME_SIZE - 1);
    text[NAME_SIZE] = 'a';
    assert_string_equal(configuration_parse_padded_name(text, name), "is too long: 127 characters at most");
}

static void reads_docker_hosts(void **state)
{
    static const char *const good[] = {"unix:///var/run/docker.sock", "tcp://socket-proxy:2375", "tcp://10.0.0.1:1",
                                       "tcp://[fd00::1]:65535", "tcp://a_b.example:2375"};
    static const char *const bad[] = {
        "",
        "/var/run/docker.sock",
        "unix://",
        "unix://run/docker.sock",
        "http://a:1",
        "tcp://a",
        "tcp://a:",
        "tcp://:2375",
        "tcp://a:0",
        "tcp://a:65536",
        "tcp://a:1/",
        "tcp://u:p@a:1",
        "tcp://fd00::1:1",
        "tcp://[]:1",
        "tcp://a b:1",
        "ssh://a",
        "TCP://a:1",
    };
    char host[DOCKER_HOST_SIZE] = "untouched";

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_non_null(configuration_parse_docker_host(bad[i], host));
        assert_string_equal(host, "untouched");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_null(configuration_parse_docker_host(good[i], host));
        assert_string_equal(host, good[i]);
    }
}

static void unix_path_fits_a_socket_address(void **state)
{
    char host[DOCKER_HOST_SIZE], longest[] =
                                     DOCKER_HOST_UNIX "/XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
                                                      "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";
    char too_long[sizeof(longest) + 1];

    (void)state;
    assert_int_equal(strlen(longest), strlen(DOCKER_HOST_UNIX) + 107); /* sun_path, unix(7) */
    memcpy(too_long, longest, sizeof(longest) - 1);
    memcpy(too_long + sizeof(longest) - 1, "X", 2);
    assert_null(configuration_parse_docker_host(longest, host));
    assert_non_null(configuration_parse_docker_host(too_long, host));
}

static void reads_gateways(void **state)
{
    static const char *const bad[] = {
        "10.0.0.1,10.0.0.2",        "fe80::1,fe80::2", "10.0.0.1,",  ",",         "10.0.0.1 fe80::1",
        "10.0.0.1,fe80::1,fe80::2", "gateway",         "0.0.0.0",    "224.0.0.1", "127.0.0.1",
        "255.255.255.255",          "fe80::1%eth0",    "10.0.0.1/24"};
    struct configuration_gateways gateways = {0};
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_non_null(configuration_parse_gateways(bad[i], &gateways));
        assert_int_equal(gateways.v4.family, IP_FAMILY_NONE);
        assert_int_equal(gateways.v6.family, IP_FAMILY_NONE);
    }
    assert_null(configuration_parse_gateways(" fe80::1 ,\t10.0.0.1 ", &gateways));
    assert_string_equal(ip_address_format(&gateways.v4, text), "10.0.0.1");
    assert_string_equal(ip_address_format(&gateways.v6, text), "fe80::1");
    assert_null(configuration_parse_gateways("fe80::2", &gateways));
    assert_int_equal(gateways.v4.family, IP_FAMILY_NONE);
}

static void reads_listeners(void **state)
{
    static const struct {
        const char *text;
        bool is_enabled;
        uint8_t family;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:9090", true, IP_FAMILY_4, 9090},
        {":9090", true, IP_FAMILY_NONE, 9090},
        {"[::1]:65535", true, IP_FAMILY_6, 65535},
        {"[2001:db8:1111:2222:3333:4444:5555:6666]:1", true, IP_FAMILY_6, 1},
        {"", false, IP_FAMILY_NONE, 0},
    };
    static const char *const bad[] = {
        "9090",           "127.0.0.1", "127.0.0.1:",      "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:90x", "::1:9090",
        "localhost:9090", "[::1]",     "[127.0.0.1]:90",  "[::1:9090",   "::1]:9090",       "[]:9090",       ":",
        " :9090",         ":9090 ",    "127.0.0.1 :9090", ":-1",         "0x7f000001:80",   "[[::1]]:80",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct configuration_listener listener;

        memset(&listener, 0xff, sizeof(listener));
        assert_null(configuration_parse_listener(good[i].text, &listener));
        assert_int_equal(listener.is_enabled, good[i].is_enabled);
        assert_int_equal(listener.address.family, good[i].family);
        assert_int_equal(listener.port, good[i].port);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct configuration_listener listener = {.port = 7};

        assert_non_null(configuration_parse_listener(bad[i], &listener));
        assert_int_equal(listener.port, 7);
    }
}

static void reads_names_and_interfaces(void **state)
{
    char name[NAME_SIZE], interface[INTERFACE_NAME_SIZE], long_name[NAME_SIZE + 1];

    (void)state;
    memset(long_name, 'a', NAME_SIZE);
    long_name[NAME_SIZE] = '\0';
    assert_non_null(configuration_parse_name(long_name, name));
    long_name[NAME_SIZE - 1] = '\0';
    assert_null(configuration_parse_name(long_name, name));
    assert_non_null(configuration_parse_name("a b", name));
    assert_non_null(configuration_parse_name("a\nb", name));
    assert_null(configuration_parse_interface("eth0.42", interface));
    assert_null(configuration_parse_interface("fifteen-letters", interface));
    assert_non_null(configuration_parse_interface("sixteen-letters-", interface));
    assert_non_null(configuration_parse_interface("..", interface));
    assert_non_null(configuration_parse_interface("a/b", interface));
    assert_non_null(configuration_parse_interface("eth0:1", interface));
    assert_non_null(configuration_parse_interface("eth 0", interface));
}

static void reads_choices(void **state)
{
    enum role role = ROLE_MAX_;
    enum address_mode mode = ADDRESS_MODE_MAX_;
    enum log_level level = LOG_LEVEL_MAX_;
    enum log_format format = LOG_FORMAT_MAX_;
    bool enabled = false;
    enum dhcp_client_kind client = DHCP_CLIENT_SUPERVISED;
    enum on_stop on_stop = ON_STOP_UNSET;

    (void)state;
    assert_null(configuration_parse_role("network-anchor", &role));
    assert_int_equal(role, ROLE_NETWORK_ANCHOR);
    assert_null(configuration_parse_role("service-anchor", &role));
    assert_int_equal(role, ROLE_SERVICE_ANCHOR);
    assert_null(configuration_parse_role("external-rebinder", &role));
    assert_int_equal(role, ROLE_EXTERNAL_REBINDER);
    assert_string_equal(
        configuration_parse_role("anchor", &role),
        "is no role: there are network-anchor, service-anchor, external-rebinder, wrap-rebinder, attach, "
        "attach-host");
    assert_null(configuration_parse_address_mode("bootstrap", &mode));
    assert_int_equal(mode, ADDRESS_MODE_BOOTSTRAP);
    assert_null(configuration_parse_address_mode("dhcp-refresh", &mode));
    assert_int_equal(mode, ADDRESS_MODE_DHCP_REFRESH);
    assert_null(configuration_parse_address_mode("slaac-ra-only", &mode));
    assert_int_equal(mode, ADDRESS_MODE_SLAAC_RA_ONLY);
    assert_non_null(configuration_parse_address_mode("dhcp", &mode));
    assert_null(configuration_parse_auto_or_off("AUTO", &enabled));
    assert_true(enabled);
    assert_null(configuration_parse_auto_or_off("off", &enabled));
    assert_false(enabled);
    assert_non_null(configuration_parse_auto_or_off("true", &enabled));
    assert_null(configuration_parse_boolean("True", &enabled));
    assert_true(enabled);
    assert_null(configuration_parse_boolean("0", &enabled));
    assert_false(enabled);
    assert_null(configuration_parse_boolean("1", &enabled));
    assert_true(enabled);
    assert_null(configuration_parse_boolean("FALSE", &enabled));
    assert_false(enabled);
    assert_non_null(configuration_parse_boolean("yes", &enabled));
    assert_null(configuration_parse_dhcp_client("host", &client));
    assert_int_equal(client, DHCP_CLIENT_HOST);
    assert_null(configuration_parse_dhcp_client("supervised", &client));
    assert_int_equal(client, DHCP_CLIENT_SUPERVISED);
    assert_non_null(configuration_parse_dhcp_client("Host", &client));
    assert_null(configuration_parse_on_stop("keep", &on_stop));
    assert_int_equal(on_stop, ON_STOP_KEEP);
    assert_null(configuration_parse_on_stop("remove", &on_stop));
    assert_int_equal(on_stop, ON_STOP_REMOVE);
    assert_non_null(configuration_parse_on_stop("Keep", &on_stop));
    assert_null(configuration_parse_log_level("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_non_null(configuration_parse_log_level("verbose", &level));
    assert_null(configuration_parse_log_format("text", &format));
    assert_int_equal(format, LOG_FORMAT_TEXT);
    assert_non_null(configuration_parse_log_format("xml", &format));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(interval_has_limits),
        cmocka_unit_test(white_space_around_a_name_may_not_count),
        cmocka_unit_test(reads_docker_hosts),
        cmocka_unit_test(unix_path_fits_a_socket_address),
        cmocka_unit_test(reads_gateways),
        cmocka_unit_test(reads_names_and_interfaces),
        cmocka_unit_test(reads_choices),
        cmocka_unit_test(reads_listeners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
