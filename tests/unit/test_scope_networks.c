/*
 * Unit tests of the networks of an attached project: which get a link, who is guarded on those that others share, and
 * which of a container's addresses its ports lead to (HOST-2, HOST-4, HOST-6).
 */
#include "workers/watcher/scope_networks.h"

#include "common/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct scope_networks networks;
static struct message_bridges bridges;
static struct message_guarded guarded;
static char ids[8][DOCKER_ID_SIZE];

static int reset(void **state)
{
    (void)state;
    scope_networks_release(&networks);
    memset(&networks, 0, sizeof(networks));
    text_copy_cut(networks.project, sizeof(networks.project), "mail");
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        memset(ids[i], '1' + (int)i, DOCKER_ID_SIZE - 1);
    return 0;
}

static struct ip_address address(const char *text)
{
    struct ip_address parsed;

    assert_int_equal(ip_address_parse(text, &parsed), 0);
    return parsed;
}

static struct docker_network record(const char *name, const char *driver, const char *project)
{
    struct docker_network network = {0};

    text_copy_cut(network.name, sizeof(network.name), name);
    text_copy_cut(network.driver, sizeof(network.driver), driver);
    text_copy_cut(network.project, sizeof(network.project), project);
    return network;
}

/* The one at this place is noted and inspected. */
static void add(size_t place, struct docker_network network)
{
    assert_int_equal(scope_networks_note(&networks, ids[place]), 1);
    assert_false(scope_networks_are_settled(&networks));
    assert_string_equal(scope_networks_needs_inspection(&networks), ids[place]);
    scope_networks_end_inspection(&networks, ids[place], 0, &network);
    assert_true(scope_networks_are_settled(&networks));
}

static void fill(void)
{
    memset(&bridges, 0, sizeof(bridges));
    memset(&guarded, 0, sizeof(guarded));
    scope_networks_fill(&networks, &bridges, &guarded);
}

static void bridges_that_lead_out_get_links(void **state)
{
    struct docker_network network = record("proxy", "bridge", "other");

    (void)state;
    add(0, record("mail_default", "bridge", "mail"));
    text_copy_cut(network.bridge, sizeof(network.bridge), "proxy0");
    add(1, network);
    network = record("closed", "bridge", "mail");
    network.is_internal = true;
    add(2, network);
    add(3, record("lan", "macvlan", "mail"));
    network = record("bad", "bridge", "mail");
    text_copy_cut(network.bridge, sizeof(network.bridge), "..");
    add(4, network);
    fill();
    assert_int_equal(bridges.count, 2);
    assert_string_equal(bridges.items[0].network_id, ids[0]);
    assert_string_equal(bridges.items[0].network, "mail_default");
    assert_string_equal(bridges.items[0].bridge, "br-111111111111");
    assert_int_equal(bridges.items[0].is_owned, 1);
    assert_string_equal(bridges.items[1].bridge, "proxy0");
    assert_int_equal(bridges.items[1].is_owned, 0);
    networks.project[0] = '\0'; /* a scope of labels owns nothing */
    fill();
    assert_int_equal(bridges.items[0].is_owned, 0);
}

static void names_are_made_plain_or_left_out(void **state)
{
    static const char *const bad[] = {"a/b", "a:b", "a b", ".", "a\x7f", "\xc3\xa4"};

    (void)state;
    add(0, record("m\x1b\xff", "bridge", "mail"));
    fill();
    assert_string_equal(bridges.items[0].network, "m??");
    assert_int_equal(scope_networks_note(&networks, "1234"), 0); /* an ID that the host half would not take */
    assert_true(scope_networks_are_settled(&networks));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct docker_network network = record("x", "bridge", "mail");

        text_copy_cut(network.bridge, sizeof(network.bridge), bad[i]);
        add(1, network);
        fill();
        assert_int_equal(bridges.count, 1);
        assert_true(scope_networks_remove(&networks, ids[1]));
    }
}

static void attach(size_t place, const char *address4, const char *address6)
{
    struct docker_attached attached = {.address4 = address(address4)};

    if (address6)
        attached.address6 = address(address6);
    assert_int_equal(scope_networks_put_attached(&networks, ids[place], &attached), 0);
}

static void who_is_on_a_shared_network_is_guarded(void **state)
{
    struct docker_network shared = record("proxy", "bridge", "");

    (void)state;
    add(0, record("mail_default", "bridge", "mail"));
    assert_int_equal(scope_networks_note(&networks, ids[1]), 1);
    assert_non_null(scope_networks_needs_inspection(&networks));
    attach(1, "172.21.0.2", NULL);
    attach(1, "172.21.0.3", "fd21::3");
    scope_networks_end_inspection(&networks, ids[1], 0, &shared);
    fill();
    assert_int_equal(guarded.count, 3);
    assert_int_equal(guarded.items[0].bridge, 1);
    assert_int_equal(guarded.items[2].address.family, IP_FAMILY_6);
    assert_null(scope_networks_needs_inspection(&networks));
    assert_false(scope_networks_look_again(&networks, ids[0])); /* that one is closed as a whole */
    assert_true(scope_networks_look_again(&networks, ids[1]));
    assert_string_equal(scope_networks_needs_inspection(&networks), ids[1]);
    assert_true(scope_networks_are_settled(&networks)); /* what is known of it stays meanwhile */
    scope_networks_end_inspection(&networks, ids[1], -EIO, &shared);
    fill();
    assert_int_equal(guarded.count, 3);
    assert_true(scope_networks_look_again(&networks, ids[1]));
    assert_non_null(scope_networks_needs_inspection(&networks));
    scope_networks_end_inspection(&networks, ids[1], 0, &shared); /* nobody is left */
    fill();
    assert_int_equal(guarded.count, 0);
}

static void networks_go_when_nobody_names_them(void **state)
{
    (void)state;
    add(0, record("mail_default", "bridge", "mail"));
    add(1, record("proxy", "bridge", ""));
    assert_string_equal(scope_networks_at(&networks, 1), ids[1]);
    assert_null(scope_networks_at(&networks, 2));
    scope_networks_begin_pass(&networks);
    assert_int_equal(scope_networks_note(&networks, ids[1]), 0);
    scope_networks_end_pass(&networks);
    assert_false(scope_networks_contain(&networks, ids[0]));
    assert_string_equal(scope_networks_needs_inspection(&networks), ids[1]); /* who is on it, once a pass */
    scope_networks_end_inspection(&networks, ids[1], -ENOENT, NULL);
    assert_false(scope_networks_contain(&networks, ids[1]));
    assert_false(scope_networks_remove(&networks, ids[1]));
    scope_networks_end_inspection(&networks, ids[1], 0, NULL); /* it went meanwhile */
}

static struct container_endpoint endpoint(size_t place, const char *address4, const char *address6, int32_t priority)
{
    struct container_endpoint made = {.address4 = address(address4), .gateway_priority = priority};

    if (address6)
        made.address6 = address(address6);
    memcpy(made.network_id, ids[place], DOCKER_ID_SIZE);
    return made;
}

static void assert_target(const struct container_endpoint *endpoints, size_t count, size_t family,
                          enum target_fault fault, const char *wanted)
{
    const struct target target = scope_networks_find_target(&networks, endpoints, count, family);

    assert_int_equal(target.fault, fault);
    assert_string_equal(IP_ADDRESS_TEXT(&target.address), wanted);
}

static void ports_lead_to_the_network_of_the_default_route(void **state)
{
    struct docker_network closed = record("a-closed", "bridge", "mail");
    struct container_endpoint endpoints[3];

    (void)state;
    closed.is_internal = true;
    add(0, record("b", "bridge", "mail"));
    add(1, record("c", "bridge", "mail"));
    add(2, closed);
    endpoints[0] = endpoint(0, "172.20.0.2", NULL, 0);
    endpoints[1] = endpoint(1, "172.21.0.2", NULL, 0);
    endpoints[2] = endpoint(2, "172.22.0.2", "fd22::2", 9);
    assert_target(endpoints, 3, FAMILY_INDEX_4, TARGET_FOUND, "172.20.0.2"); /* by name, never an internal one */
    assert_target(endpoints, 3, FAMILY_INDEX_6, TARGET_NO_ROUTE, "-");
    assert_target(endpoints + 2, 1, FAMILY_INDEX_4, TARGET_NO_ROUTE, "-");
    assert_target(endpoints, 0, FAMILY_INDEX_4, TARGET_NO_ROUTE, "-");
    endpoints[1].gateway_priority = 1;
    assert_target(endpoints, 3, FAMILY_INDEX_4, TARGET_FOUND, "172.21.0.2");
    endpoints[1] = endpoint(1, "172.21.0.2", "fd21::2", 0);
    assert_target(endpoints, 3, FAMILY_INDEX_4, TARGET_FOUND, "172.21.0.2"); /* both families go before names */
    assert_target(endpoints, 3, FAMILY_INDEX_6, TARGET_FOUND, "fd21::2");
    endpoints[0] = endpoint(0, "172.20.0.2", NULL, 1); /* each family by itself */
    assert_target(endpoints, 3, FAMILY_INDEX_4, TARGET_FOUND, "172.20.0.2");
    assert_target(endpoints, 3, FAMILY_INDEX_6, TARGET_FOUND, "fd21::2");
    endpoints[0].address4 = address("127.0.0.1");
    assert_target(endpoints, 3, FAMILY_INDEX_4, TARGET_FOUND, "-"); /* no address that a host can have */
}

static void what_no_link_leads_to_is_no_target(void **state)
{
    struct container_endpoint endpoints[2];
    struct scope_link link;
    struct target target;

    (void)state;
    add(0, record("b", "bridge", "mail"));
    add(1, record("lan", "macvlan", ""));
    endpoints[0] = endpoint(0, "172.20.0.2", NULL, 0);
    endpoints[1] = endpoint(1, "192.0.2.40", NULL, 1);
    assert_target(endpoints, 2, FAMILY_INDEX_4, TARGET_NO_BRIDGE, "-");
    endpoints[1].gateway_priority = 0;
    assert_target(endpoints, 2, FAMILY_INDEX_4, TARGET_FOUND, "172.20.0.2");
    assert_true(scope_networks_set_link(&networks, ids[0], "", -EPERM, "refused"));
    assert_false(scope_networks_set_link(&networks, ids[0], "", -EPERM, "refused"));
    assert_false(scope_networks_set_link(&networks, ids[5], "", -EPERM, "refused"));
    target = scope_networks_find_target(&networks, endpoints, 2, FAMILY_INDEX_4);
    assert_int_equal(target.fault, TARGET_NO_LINK);
    assert_string_equal(target.reason, "refused");
    assert_string_equal(target.network->name, "b");
    assert_true(scope_networks_link_at(&networks, 0, &link));
    assert_string_equal(link.interface, "");
    assert_string_equal(link.reason, "refused");
    assert_true(scope_networks_set_link(&networks, ids[0], "ancin0", 0, ""));
    assert_true(scope_networks_link_at(&networks, 0, &link));
    assert_string_equal(link.network, "b");
    assert_string_equal(link.interface, "ancin0");
    assert_false(scope_networks_link_at(&networks, 1, &link));
    assert_target(endpoints, 2, FAMILY_INDEX_4, TARGET_FOUND, "172.20.0.2");
    endpoints[1] = endpoint(2, "172.25.0.2", NULL, 0); /* of which nothing is known */
    assert_target(endpoints, 2, FAMILY_INDEX_4, TARGET_NOT_KNOWN, "-");
    assert_int_equal(scope_networks_note(&networks, ids[2]), 1);
    scope_networks_end_inspection(&networks, ids[2], -EACCES, NULL);
    assert_target(endpoints, 2, FAMILY_INDEX_4, TARGET_NOT_KNOWN, "-");
    assert_true(scope_networks_are_settled(&networks)); /* and nothing more will be */
}

static void there_are_so_many_networks_and_no_more(void **state)
{
    char id[DOCKER_ID_SIZE];
    struct docker_network network = record("n", "bridge", "mail");

    (void)state;
    for (int i = 0; i <= SCOPE_NETWORKS_MAX; i++) {
        (void)snprintf(id, sizeof(id), "%064d", i);
        assert_int_equal(scope_networks_note(&networks, id), i < SCOPE_NETWORKS_MAX);
        scope_networks_end_inspection(&networks, id, 0, &network);
    }
    fill();
    assert_int_equal(bridges.count, BRIDGES_MAX);
}

/* Nothing is left out in silence: a network without room says why nothing leads to it, and of addresses the number. */
static void what_there_is_no_room_for_is_told(void **state)
{
    char id[DOCKER_ID_SIZE];
    struct docker_network network = record("n", "bridge", "others");
    const struct docker_attached attached = {.address4 = {IP_FAMILY_4, {172, 31, 0, 5}}};
    struct container_endpoint endpoint = {.address4 = {IP_FAMILY_4, {172, 31, 0, 5}}};
    struct target target;

    (void)state;
    for (int i = 0; i <= BRIDGES_MAX; i++) {
        (void)snprintf(id, sizeof(id), "%064d", i);
        assert_int_equal(scope_networks_note(&networks, id), 1);
        for (int j = 0; i == 0 && j < GUARDED_MAX + 3; j++)
            assert_int_equal(scope_networks_put_attached(&networks, id, &attached), 0);
        scope_networks_end_inspection(&networks, id, 0, &network);
    }
    fill();
    assert_int_equal(networks.unguarded, 3);
    (void)snprintf(endpoint.network_id, sizeof(endpoint.network_id), "%064d", BRIDGES_MAX);
    target = scope_networks_find_target(&networks, &endpoint, 1, FAMILY_INDEX_4);
    assert_int_equal(target.fault, TARGET_NO_LINK);
    assert_string_equal(target.reason, "the project has more networks than the 64 that get a link");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bridges_that_lead_out_get_links, reset, reset),
        cmocka_unit_test_setup_teardown(names_are_made_plain_or_left_out, reset, reset),
        cmocka_unit_test_setup_teardown(who_is_on_a_shared_network_is_guarded, reset, reset),
        cmocka_unit_test_setup_teardown(networks_go_when_nobody_names_them, reset, reset),
        cmocka_unit_test_setup_teardown(ports_lead_to_the_network_of_the_default_route, reset, reset),
        cmocka_unit_test_setup_teardown(what_no_link_leads_to_is_no_target, reset, reset),
        cmocka_unit_test_setup_teardown(there_are_so_many_networks_and_no_more, reset, reset),
        cmocka_unit_test_setup_teardown(what_there_is_no_room_for_is_told, reset, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
