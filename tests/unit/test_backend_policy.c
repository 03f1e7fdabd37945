/* Unit tests of workers/netadmin/plan/backend_policy: which backends a desired state may name (DESIGN §1). */
#include "workers/netadmin/plan/backend_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct wire_address wire(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return wire_address_from(&address);
}

static const struct ip_address own[] = {{IP_FAMILY_6, {0xfe, 0x80, [15] = 1}}, {IP_FAMILY_4, {172, 30, 0, 3}}};

static struct wire_network shared_network(void)
{
    struct wire_network network = {.name = "transit", .subnet_count = 3};

    network.subnets[0] = (struct wire_subnet){.address = wire("172.30.0.0"),
                                              .gateway = wire("172.30.0.1"),
                                              .auxiliary_gateway = wire("172.30.0.2"),
                                              .prefix_length = 24};
    network.subnets[1] =
        (struct wire_subnet){.address = wire("fd30::"), .gateway = wire("fd30::1"), .prefix_length = 64};
    network.subnets[2] = (struct wire_subnet){.address = wire("172.30.9.0"), .prefix_length = 31};
    return network;
}

/* What the policy says about a state with this one backend behind one good one. */
static int judge(const char *backend, char reason[REASON_SIZE])
{
    const struct wire_network shared = shared_network();
    const struct backend_policy policy = {.shared = &shared, .own = own, .own_count = ARRAY_LENGTH(own)};
    struct desired_state state = {0};
    struct ip_address address;
    struct map_element element = {.port = 25, .backend_port = 25, .backend = {172, 30, 0, 5}};
    int result;

    assert_int_equal(ip_address_parse(backend, &address), 0);
    assert_int_equal(map_add(&state.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP], &element), 0);
    element.port = 26;
    memcpy(element.backend, address.bytes, sizeof(element.backend));
    assert_int_equal(map_add(&state.open.maps[family_index_from_family(address.family)][PROTOCOL_INDEX_TCP], &element),
                     0);
    result = backend_policy_check(&policy, &state, reason);
    desired_state_clear(&state);
    return result;
}

static void containers_of_the_shared_network_are_allowed(void **state)
{
    static const char *const allowed[] = {"172.30.0.5", "172.30.0.254", "fd30::5", "fd30::ffff:ffff:ffff:ffff",
                                          "172.30.9.0", "172.30.9.1"}; /* a /31 has no ends (RFC 3021) */
    char reason[REASON_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(allowed); i++)
        assert_int_equal(judge(allowed[i], reason), 0);
}

static void everything_else_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *backend;
        const char *reason;
    } refused[] = {
        {"172.30.0.0", "network address"},
        {"172.30.0.255", "broadcast"},
        {"172.30.0.1", "the gateway"},
        {"172.30.0.2", "auxiliary gateway"},
        {"172.30.0.3", "our own"},
        {"fd30::", "network address"},
        {"fd30::1", "the gateway"},
        {"172.30.1.5", "outside"},
        {"172.29.255.255", "outside"},
        {"fd31::5", "outside"},
        {"127.0.0.1", "no host"},
        {"0.0.0.0", "no host"},
        {"::1", "no host"},
        {"::", "no host"},
        {"224.0.0.1", "no host"},
        {"255.255.255.255", "no host"},
        {"ff02::1", "no host"},
        {"::ffff:172.30.0.5", "outside"},
    };
    char reason[REASON_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        assert_int_equal(judge(refused[i].backend, reason), -EPERM);
        assert_non_null(strstr(reason, refused[i].reason));
        assert_non_null(strstr(reason, refused[i].backend));
        assert_non_null(strstr(reason, "port 26"));
    }
}

static void later_port_of_a_run_is_checked_too(void **state)
{
    const struct wire_network shared = shared_network();
    const struct backend_policy policy = {.shared = &shared, .own = own, .own_count = ARRAY_LENGTH(own)};
    struct desired_state wanted = {0};
    struct map_element element = {.port = 1, .backend_port = 1, .backend = {172, 30, 0, 5}};
    char reason[REASON_SIZE];

    (void)state;
    for (; element.port < 10; element.port++) {
        element.backend[3] = element.port == 9 ? 1 : 5;
        assert_int_equal(map_add(&wanted.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_UDP], &element), 0);
    }
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), -EPERM);
    assert_non_null(strstr(reason, "port 9 "));
    desired_state_clear(&wanted);
}

static void network_without_subnets_allows_nothing(void **state)
{
    const struct wire_network nothing = {.name = "transit"};
    const struct backend_policy policy = {.shared = &nothing, .own = own, .own_count = ARRAY_LENGTH(own)};
    const struct map_element element = {.port = 1, .backend_port = 1, .backend = {172, 30, 0, 5}};
    struct desired_state wanted = {0};
    char reason[REASON_SIZE];

    (void)state;
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), 0);
    assert_int_equal(map_add(&wanted.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP], &element), 0);
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), -EPERM);
    desired_state_clear(&wanted);
}

/* Behind the last of them stands what was there once. */
static void what_is_behind_the_last_entry_does_not_count(void **state)
{
    struct wire_network shared = shared_network();
    const struct ip_address ours[] = {own[0], {IP_FAMILY_4, {172, 30, 0, 5}}};
    const struct backend_policy policy = {.shared = &shared, .own = ours, .own_count = 1};
    const struct map_element good = {.port = 1, .backend_port = 1, .backend = {172, 30, 0, 5}};
    const struct map_element outside = {.port = 1, .backend_port = 1, .backend = {172, 30, 9, 0}};
    struct desired_state wanted = {0};
    char reason[REASON_SIZE];

    (void)state;
    assert_int_equal(map_add(&wanted.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP], &good), 0);
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), 0);
    desired_state_clear(&wanted);
    shared.subnet_count = 2;
    assert_int_equal(map_add(&wanted.withheld.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_UDP], &outside), 0);
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), -EPERM);
    assert_non_null(strstr(reason, "outside"));
    desired_state_clear(&wanted);
}

/* As many subnets as a network can have, each with all that is refused in one. */
static void the_last_of_all_subnets_counts(void **state)
{
    struct wire_network shared = {.name = "transit", .subnet_count = SUBNETS_MAX};
    const struct backend_policy policy = {.shared = &shared, .own = own, .own_count = ARRAY_LENGTH(own)};
    struct map_element element = {.port = 1, .backend_port = 1, .backend = {10, SUBNETS_MAX - 1, 0, 5}};
    struct desired_state wanted = {0};
    char reason[REASON_SIZE];

    (void)state;
    for (uint8_t i = 0; i < SUBNETS_MAX; i++)
        shared.subnets[i] = (struct wire_subnet){
            .address = {.family = IP_FAMILY_4, .bytes = {10, i}},
            .gateway = {.family = IP_FAMILY_4, .bytes = {10, i, 0, 1}},
            .auxiliary_gateway = {.family = IP_FAMILY_4, .bytes = {10, i, 0, 2}},
            .prefix_length = 24,
        };
    assert_int_equal(map_add(&wanted.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP], &element), 0);
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), 0);
    wanted.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].elements[0].backend[3] = 2;
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), -EPERM);
    assert_non_null(strstr(reason, "auxiliary gateway"));
    shared.subnet_count = UINT32_MAX; /* no more than there is room for */
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), -EPERM);
    desired_state_clear(&wanted);
}

/* Over all four maps together; the elements themselves do not matter any more then. */
static void one_element_too_many_is_refused(void **state)
{
    const struct wire_network shared = shared_network();
    const struct backend_policy policy = {.shared = &shared, .own = own, .own_count = ARRAY_LENGTH(own)};
    struct desired_state wanted = {0};
    char reason[REASON_SIZE];

    (void)state;
    wanted.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].count = MAP_ELEMENTS_MAX - 1;
    wanted.open.maps[FAMILY_INDEX_6][PROTOCOL_INDEX_UDP].count = 1;
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), 0);
    wanted.open.maps[FAMILY_INDEX_6][PROTOCOL_INDEX_UDP].count = 2;
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), -E2BIG);
    assert_string_equal(reason, "more map elements than are allowed");
    wanted.open.maps[FAMILY_INDEX_6][PROTOCOL_INDEX_UDP].count = 1;
    wanted.withheld.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].count = 1;
    assert_int_equal(backend_policy_check(&policy, &wanted, reason), -E2BIG);
}

/* What Docker's configuration does not say: the bridge has the first address, and the host listens there. */
static void a_bridge_address_that_is_not_named_is_worked_out(void **state)
{
    struct wire_network shared = shared_network();
    const struct backend_policy policy = {.shared = &shared, .own = own, .own_count = ARRAY_LENGTH(own)};
    const struct map_element bridge4 = {.port = 22, .backend_port = 22, .backend = {172, 30, 0, 1}};
    const struct map_element bridge6 = {.port = 22, .backend_port = 22, .backend = {0xfd, 0x30, [15] = 1}};
    const struct map_element *const elements[] = {&bridge4, &bridge6};
    char reason[REASON_SIZE];

    (void)state;
    shared.subnets[0].gateway = shared.subnets[1].gateway = (struct wire_address){0};
    for (size_t i = 0; i < 2; i++) {
        struct desired_state wanted = {0};

        assert_int_equal(map_add(&wanted.open.maps[i][PROTOCOL_INDEX_TCP], elements[i]), 0);
        assert_int_equal(backend_policy_check(&policy, &wanted, reason), -EPERM);
        assert_non_null(strstr(reason, "is the gateway of transit"));
        desired_state_clear(&wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_of_the_shared_network_are_allowed),
        cmocka_unit_test(everything_else_is_refused_with_its_reason),
        cmocka_unit_test(later_port_of_a_run_is_checked_too),
        cmocka_unit_test(network_without_subnets_allows_nothing),
        cmocka_unit_test(what_is_behind_the_last_entry_does_not_count),
        cmocka_unit_test(the_last_of_all_subnets_counts),
        cmocka_unit_test(one_element_too_many_is_refused),
        cmocka_unit_test(a_bridge_address_that_is_not_named_is_worked_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
