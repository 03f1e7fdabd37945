/* Unit tests of what the links of an identity are called (workers/links/link_names), HOST-8. */
#include "workers/links/link_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee"

static void host8_a_pair_has_the_same_number_at_both_ends(void **state)
{
    char name[INTERFACE_NAME_SIZE];

    (void)state;
    link_names_outer(name, 0x0123abcd, 63);
    assert_string_equal(name, "anc0123abcdb63");
    assert_int_equal(link_names_number(name, 0x0123abcd), 63);
    assert_int_equal(link_names_number(name, 0x0123abce), NO_LINK);
    link_names_inner(name, 63);
    assert_string_equal(name, "ancin63");
    assert_memory_equal(link_names_outer_mac(0x0123abcd, 63).bytes, "\xfe\xff\x01\x23\xab\xcd", 6);
    assert_memory_equal(link_names_outer_mac(0x0123abcd, 0).bytes, "\xfe\xc0\x01\x23\xab\xcd", 6);
    assert_int_equal(link_names_number("anc0123abcdb64", 0x0123abcd), NO_LINK);
    assert_int_equal(link_names_number("anc0123abcdb", 0x0123abcd), NO_LINK);
    assert_int_equal(link_names_number("anc0123abcdb07", 0x0123abcd), NO_LINK);
}

static void host8_an_alias_names_project_and_network(void **state)
{
    struct wire_bridge bridge = {.network_id = ID, .network = "mail_default", .bridge = "br-0123456789ab"};
    char alias[LINK_ALIAS_SIZE];

    (void)state;
    link_names_alias(alias, "mail", &bridge);
    assert_string_equal(alias, "anchord mail " ID " mail_default");
    assert_true(link_names_alias_is_of(alias, "mail", NULL));
    assert_true(link_names_alias_is_of(alias, "mail", ID));
    assert_false(link_names_alias_is_of(alias, "mail", OTHER));
    assert_false(link_names_alias_is_of(alias, "mai", NULL));
    assert_false(link_names_alias_is_of(alias, "mailcow", NULL));
    assert_false(link_names_alias_is_of("", "mail", NULL));
    assert_false(link_names_alias_is_of("somebody mail " ID, "mail", NULL));
    memset(bridge.network, 'x', sizeof(bridge.network) - 1);
    link_names_alias(alias, "mail", &bridge);
    assert_true(link_names_alias_is_of(alias, "mail", ID));
}

static void host2_dockers_own_name_of_a_bridge_is_made_of_the_networks_id(void **state)
{
    struct wire_bridge bridge = {.network_id = ID, .bridge = "br-0123456789ab"};

    (void)state;
    assert_true(link_names_is_dockers(&bridge));
    memcpy(bridge.bridge, "br-0123456789a", sizeof("br-0123456789a"));
    assert_false(link_names_is_dockers(&bridge));
    memcpy(bridge.bridge, "br-0123456789ac", sizeof("br-0123456789ac"));
    assert_false(link_names_is_dockers(&bridge));
    memcpy(bridge.bridge, "docker0", sizeof("docker0"));
    assert_false(link_names_is_dockers(&bridge));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host8_a_pair_has_the_same_number_at_both_ends),
        cmocka_unit_test(host8_an_alias_names_project_and_network),
        cmocka_unit_test(host2_dockers_own_name_of_a_bridge_is_made_of_the_networks_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
