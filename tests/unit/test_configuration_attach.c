/* Unit tests of daemon/configuration/configuration_attach: what an attached project is told (HOST-1, HOST-3, HOST-12).
 */
#include "common/cleanup.h"
#include "tests/unit/configuration_help.h"

#include <stdio.h>

#define ATTACH_OF(...) load("attach", ENVIRONMENT("ANCHORD_PROJECT=shop", __VA_ARGS__))

/* HOST-1, HOST-3, HOST-12 */
static void attach_has_its_defaults(void **state)
{
    (void)state;
    load("attach", ENVIRONMENT("ANCHORD_PROJECT=shop"));
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(configuration.role, ROLE_ATTACH);
    assert_true(configuration_has_dhcp_client(&configuration));
    assert_false(configuration_has_given_address(&configuration));
    assert_int_equal(configuration.expose_from, EXPOSE_FROM_LABELS | EXPOSE_FROM_PUBLISHED);
    assert_string_equal(configuration.dhcp_host_name, "shop");
    assert_false(configuration.dhcp_name_is_given);
    assert_true(configuration.metrics.is_enabled);
    ATTACH_OF("ANCHORD_DHCP_HOSTNAME=front");
    assert_true(configuration.dhcp_name_is_given);
    load("attach", ENVIRONMENT("PATH=/usr/bin"));
    assert_int_equal(configuration.error_count, 1);
    assert_problem("ANCHORD_PROJECT", true, "the role attach needs it");
}

/* It runs in the host's network namespace, where the exporter's port is somebody else's. */
static void the_host_half_listens_when_it_is_told_to_alone(void **state)
{
    (void)state;
    load("attach-host", ENVIRONMENT("ANCHORD_PROJECT=shop", "ANCHORD_PARENT=eth0"));
    assert_int_equal(configuration.problem_count, 0);
    assert_false(configuration.metrics.is_enabled);
    load("attach-host", ENVIRONMENT("ANCHORD_PROJECT=shop", "ANCHORD_PARENT=eth0", "ANCHORD_METRICS_ADDR=:9090"));
    assert_problem("ANCHORD_METRICS_ADDR", false, "does not concern the role attach-host");
    assert_false(configuration.metrics.is_enabled);
}

/* PKG-2: its journal does not complain of the file that `anchord attach` has written. */
static void units_of_both_halves_read_one_file(void **state)
{
    (void)state;
    load("attach-host", ENVIRONMENT("ANCHORD_PROJECT=shop", "ANCHORD_PARENT=eth0", "ANCHORD_ALLOW=10.0.0.0/8"));
    assert_problem("ANCHORD_ALLOW", false, "does not concern the role attach-host");
    load("attach-host", ENVIRONMENT("INVOCATION_ID=1", "ANCHORD_PROJECT=shop", "ANCHORD_PARENT=eth0",
                                    "ANCHORD_ADDRESS=dhcp", "ANCHORD_ALLOW=10.0.0.0/8"));
    assert_int_equal(configuration.problem_count, 0);
    load("attach", ENVIRONMENT("INVOCATION_ID=1", "ANCHORD_PROJECT=shop", "ANCHORD_PARENT=eth0"));
    assert_int_equal(configuration.problem_count, 0);
    load("attach", ENVIRONMENT("INVOCATION_ID=1", "ANCHORD_PROJECT=shop", "ANCHORD_MANAGED_SA_TARGET=web"));
    assert_problem("ANCHORD_MANAGED_SA_TARGET", false, "does not concern the role attach");
}

static void the_host_half_knows_its_parent(void **state)
{
    (void)state;
    load("attach-host", ENVIRONMENT("ANCHORD_PROJECT=shop", "ANCHORD_PARENT=eth0.42", "ANCHORD_BRIDGES= br-mail , br0",
                                    "ANCHORD_GUARD=off", "ANCHORD_MAC=02:00:00:00:00:05"));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.parent, "eth0.42");
    assert_string_equal(configuration.named_bridges[0], "br-mail");
    assert_string_equal(configuration.named_bridges[1], "br0");
    assert_string_equal(configuration.named_bridges[2], "");
    assert_false(configuration.is_guarded);
    assert_int_equal(configuration.external_mac.bytes[5], 5);
    load("attach-host", ENVIRONMENT("ANCHORD_PROJECT=shop"));
    assert_problem("ANCHORD_PARENT", true, "the host's interface on the LAN");
    load("attach-host", ENVIRONMENT("ANCHORD_PROJECT=../shop", "ANCHORD_PARENT=eth0"));
    assert_problem("ANCHORD_PROJECT", true, "is no name of a Compose project");
}

static void attach_takes_addresses(void **state)
{
    (void)state;
    ATTACH_OF("ANCHORD_ADDRESS= 192.0.2.5/24 ,2001:db8::5/64", "ANCHORD_EXT_GATEWAY_IP=192.0.2.1,fe80::1");
    assert_int_equal(configuration.problem_count, 0);
    assert_true(configuration_has_given_address(&configuration));
    assert_false(configuration_has_dhcp(&configuration));
    assert_int_equal(configuration.address_mode, ADDRESS_MODE_DHCP_REFRESH);
    assert_int_equal(configuration.attach_address.given4.prefix_length, 24);
    assert_int_equal(configuration.attach_address.given4.address.bytes[3], 5);
    assert_int_equal(configuration.attach_address.given6.prefix_length, 64);
    ATTACH_OF("ANCHORD_ADDRESS=slaac");
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(configuration.address_mode, ADDRESS_MODE_SLAAC_RA_ONLY);
    assert_false(configuration_has_dhcp(&configuration));
    ATTACH_OF("ANCHORD_ADDRESS=192.0.2.5/24");
    assert_problem("ANCHORD_EXT_GATEWAY_IP", false, "nothing outside of that network is reached");
    ATTACH_OF("ANCHORD_ADDRESS=2001:db8::5/64");
    assert_int_equal(configuration.problem_count, 0);
    ATTACH_OF("ANCHORD_ADDRESS=192.0.2.0/31", "ANCHORD_EXT_GATEWAY_IP=192.0.2.1");
    assert_int_equal(configuration.problem_count, 0);
}

/* HOST-7 */
static void attach_takes_networks_behind_the_host(void **state)
{
    (void)state;
    ATTACH_OF("ANCHORD_ADDRESS=192.0.2.5/24,2001:db8::5/64", "ANCHORD_EXT_GATEWAY_IP=192.0.2.1",
              "ANCHORD_VIA_HOST= 10.8.0.0/24 ,fd08::/64");
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(configuration.via_host[0].prefix_length, 24);
    assert_int_equal(configuration.via_host[1].address.family, IP_FAMILY_6);
    assert_int_equal(configuration.via_host[2].address.family, IP_FAMILY_NONE);
    ATTACH_OF("ANCHORD_ADDRESS=192.0.2.5/24", "ANCHORD_EXT_GATEWAY_IP=192.0.2.1", "ANCHORD_VIA_HOST=192.0.0.0/8");
    assert_problem("ANCHORD_VIA_HOST", true, "\"192.0.0.0/8\": has a part of the LAN of 192.0.2.5/24 in it");
    ATTACH_OF("ANCHORD_ADDRESS=192.0.2.5/24", "ANCHORD_EXT_GATEWAY_IP=192.0.2.1", "ANCHORD_VIA_HOST=192.0.2.128/25");
    assert_problem("ANCHORD_VIA_HOST", true, "\"192.0.2.128/25\": has a part of the LAN of 192.0.2.5/24 in it");
}

/* With the position and the way out. */
static void wrong_values_of_attach_are_fatal(void **state)
{
    static const struct {
        const char *entry;
        const char *words;
    } rows[] = {
        {"ANCHORD_ADDRESS=192.0.2.5", "entry 1, \"192.0.2.5\": is none of dhcp, slaac and ADDRESS/PREFIX"},
        {"ANCHORD_ADDRESS=192.0.2.5/24,", "entry 2, \"\": is none of"},
        {"ANCHORD_ADDRESS=192.0.2.5/24,192.0.2.6/24", "entry 2, \"192.0.2.6/24\": is a second address of its family"},
        {"ANCHORD_ADDRESS=192.0.2.5/24,dhcp", "entry 2, \"dhcp\": dhcp and slaac stand alone"},
        {"ANCHORD_ADDRESS=slaac,192.0.2.5/24", "entry 1, \"slaac\": dhcp and slaac stand alone"},
        {"ANCHORD_ADDRESS=192.0.2.0/24", "is the network itself or its broadcast address"},
        {"ANCHORD_ADDRESS=192.0.2.255/24", "is the network itself or its broadcast address"},
        {"ANCHORD_ADDRESS=2001:db8::/64", "is the network itself or its broadcast address"},
        {"ANCHORD_ADDRESS=192.0.2.5/32", "the prefix length is to be that of the LAN"},
        {"ANCHORD_ADDRESS=192.0.2.5/0", "the prefix length is to be that of the LAN"},
        {"ANCHORD_ADDRESS=127.0.0.5/24", "is no address that a host on the LAN can have"},
        {"ANCHORD_ADDRESS=fe80::5/64", "is no address that a host on the LAN can have"},
        {"ANCHORD_ADDRESS=239.0.0.5/24", "is no address that a host on the LAN can have"},
        {"ANCHORD_VIA_HOST=10.8.0.0", "entry 1, \"10.8.0.0\": is no network, as in 10.8.0.0/24"},
        {"ANCHORD_VIA_HOST=10.8.0.0/24,", "entry 2, \"\": is no network"},
        {"ANCHORD_VIA_HOST=10.8.0.5/24", "has bits behind its prefix"},
        {"ANCHORD_VIA_HOST=0.0.0.0/0", "is everything: what is not named goes by the LAN's router"},
        {"ANCHORD_VIA_HOST=::/0", "is everything"},
        {"ANCHORD_VIA_HOST=169.254.0.0/16", "is no network that a host routes to"},
        {"ANCHORD_VIA_HOST=fe80::/64", "is no network that a host routes to"},
        {"ANCHORD_VIA_HOST=127.0.0.0/8", "is no network that a host routes to"},
        {"ANCHORD_VIA_HOST=239.0.0.0/8", "is no network that a host routes to"},
        {"ANCHORD_VIA_HOST=10.8.0.0/24,10.0.0.0/8", "entry 2, \"10.0.0.0/8\": lies in another entry, or has one in it"},
        {"ANCHORD_VIA_HOST=10.0.0.0/8,10.8.0.0/24", "entry 2, \"10.8.0.0/24\": lies in another entry"},
        {"ANCHORD_VIA_HOST=1.0.0.0/8,2.0.0.0/8,3.0.0.0/8,4.0.0.0/8,5.0.0.0/8,6.0.0.0/8,7.0.0.0/8,8.0.0.0/8,9.0.0.0/8,"
         "10.0.0.0/8,11.0.0.0/8,12.0.0.0/8,13.0.0.0/8,14.0.0.0/8,15.0.0.0/8,16.0.0.0/8,17.0.0.0/8",
         "entry 17, \"17.0.0.0/8\": is one too many"},
        {"ANCHORD_EXPOSE_FROM=labels,ports", "entry 2, \"ports\": is neither labels nor published"},
        {"ANCHORD_EXPOSE_FROM=labels,,published", "entry 2, \"\": is neither"},
        {"ANCHORD_ALLOW=web: tcp/80 from home", "position 18: is no address and no network"},
        {"ANCHORD_ALLOW=tcp/80 from ::1", "position 1: a service and a colon are missing"},
        {"ANCHORD_LIMIT=web: tcp/80 1/hour per source", "position 15: the unit of time is neither"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(rows[i].entry, "="), rows[i].entry);
        ATTACH_OF(rows[i].entry);
        assert_int_equal(configuration.error_count, 1);
        assert_problem(name, true, rows[i].words);
    }
    ATTACH_OF("ANCHORD_ADDRESS=192.0.2.5/24", "ANCHORD_EXT_GATEWAY_IP=192.0.3.1");
    assert_problem("ANCHORD_EXT_GATEWAY_IP", true, "\"192.0.3.1\": is no neighbour of 192.0.2.5/24");
    ATTACH_OF("ANCHORD_ADDRESS=192.0.2.5/24", "ANCHORD_EXT_GATEWAY_IP=192.0.2.5");
    assert_problem("ANCHORD_EXT_GATEWAY_IP", true, "is the project's own address: give the router's");
    load("attach", ENVIRONMENT("ANCHORD_PROJECT=a/b"));
    assert_problem("ANCHORD_PROJECT", true, "docker compose ls");
    load("attach", ENVIRONMENT("ANCHORD_PROJECT=Shop"));
    assert_problem("ANCHORD_PROJECT", true, "lower-case letters");
    load("attach", ENVIRONMENT("ANCHORD_PROJECT=shop_2-a"));
    assert_int_equal(configuration.problem_count, 0);
    load("attach", ENVIRONMENT("ANCHORD_PROJECT=..", "ANCHORD_LABEL_SELECTOR=a=b"));
    assert_problem("ANCHORD_PROJECT", true, "is no name of a Compose project");
    assert_problem("ANCHORD_LABEL_SELECTOR", false, "does not concern the role attach");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(attach_has_its_defaults),
        cmocka_unit_test(the_host_half_listens_when_it_is_told_to_alone),
        cmocka_unit_test(units_of_both_halves_read_one_file),
        cmocka_unit_test(the_host_half_knows_its_parent),
        cmocka_unit_test(attach_takes_addresses),
        cmocka_unit_test(attach_takes_networks_behind_the_host),
        cmocka_unit_test(wrong_values_of_attach_are_fatal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
