/* Unit tests of workers/watcher/return_path: whose replies come back, why not, and the remedy (DISC-8). */
#include "common/cleanup.h"
#include "common/text.h"
#include "workers/watcher/return_path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { V4 = 1, V6 = 2, BOTH = 3 };

static struct ip_address parse_address(const char *text)
{
    struct ip_address address = {.family = IP_FAMILY_NONE};

    if (text)
        assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

/* A network with both families; `gateways` says in which it names an auxiliary one. */
static struct docker_network make_network(const char *name, const char *driver, bool is_internal, int gateways)
{
    struct docker_network network = {.is_internal = is_internal, .subnet_count = 2};

    text_copy_cut(network.name, sizeof(network.name), name);
    text_copy_cut(network.driver, sizeof(network.driver), driver);
    network.subnets[0].subnet = (struct ip_subnet){parse_address("172.30.0.0"), 24};
    network.subnets[1].subnet = (struct ip_subnet){parse_address("fd30::"), 64};
    network.subnets[0].gateway = parse_address("172.30.0.1");
    network.subnets[0].auxiliary_gateway = parse_address(gateways & V4 ? "172.30.0.2" : NULL);
    network.subnets[1].auxiliary_gateway = parse_address(gateways & V6 ? "fd30::2" : NULL);
    return network;
}

struct place {
    const char *name; /* NULL: no such place */
    bool is_internal;
    int families;
    int32_t priority;
};

struct check_case {
    const char *what;
    const char *driver; /* of the shared network */
    bool is_internal;
    int gateways;
    int unclaimed; /* families whose gateway is not ours */
    struct place shared;
    struct place others[2];
    enum return_path_fault fault4;
    enum return_path_fault fault6;
    const char *other;
};

#define DIRECT "bridge", false, BOTH, 0

static const struct check_case cases[] = {
    {"transit alone", DIRECT, {"m", 0, BOTH, 0}, {{0}}, RETURN_PATH_FINE, RETURN_PATH_FINE, NULL},
    {"an earlier name wins",
     DIRECT,
     {"m", 0, BOTH, 0},
     {{"a", 0, BOTH, 0}},
     RETURN_PATH_OTHER_ROUTE,
     RETURN_PATH_OTHER_ROUTE,
     "a"},
    {"a later name does not", DIRECT, {"m", 0, BOTH, 0}, {{"z", 0, BOTH, 0}}, RETURN_PATH_FINE, RETURN_PATH_FINE, NULL},
    {"the first of several is named",
     DIRECT,
     {"m", 0, BOTH, 0},
     {{"b", 0, BOTH, 0}, {"a", 0, BOTH, 0}},
     RETURN_PATH_OTHER_ROUTE,
     RETURN_PATH_OTHER_ROUTE,
     "a"},
    {"an internal one never wins",
     DIRECT,
     {"m", 0, BOTH, 0},
     {{"a", true, BOTH, 9}},
     RETURN_PATH_FINE,
     RETURN_PATH_FINE,
     NULL},
    {"without IPv6 none wins over both families",
     DIRECT,
     {"m", 0, BOTH, 0},
     {{"a", 0, V4, 0}},
     RETURN_PATH_FINE,
     RETURN_PATH_FINE,
     NULL},
    {"both families win over one, whatever the name",
     DIRECT,
     {"m", 0, V4, 0},
     {{"z", 0, BOTH, 0}},
     RETURN_PATH_OTHER_ROUTE,
     RETURN_PATH_FINE,
     "z"},
    {"one family each", DIRECT, {"m", 0, V4, 0}, {{"a", 0, V4, 0}}, RETURN_PATH_OTHER_ROUTE, RETURN_PATH_FINE, "a"},
    {"another family takes nothing",
     DIRECT,
     {"m", 0, V4, 0},
     {{"a", 0, V6, 0}},
     RETURN_PATH_FINE,
     RETURN_PATH_FINE,
     NULL},
    {"gw_priority on transit settles it",
     DIRECT,
     {"m", 0, BOTH, 1},
     {{"a", 0, BOTH, 0}},
     RETURN_PATH_FINE,
     RETURN_PATH_FINE,
     NULL},
    {"gw_priority elsewhere breaks it",
     DIRECT,
     {"m", 0, BOTH, 1},
     {{"z", 0, V4, 2}},
     RETURN_PATH_OTHER_ROUTE,
     RETURN_PATH_FINE,
     "z"},
    {"a negative gw_priority elsewhere",
     DIRECT,
     {"m", 0, BOTH, 0},
     {{"a", 0, BOTH, -1}},
     RETURN_PATH_FINE,
     RETURN_PATH_FINE,
     NULL},
    {"no gateway at all",
     "bridge",
     false,
     0,
     0,
     {"m", 0, BOTH, 0},
     {{0}},
     RETURN_PATH_NO_GATEWAY,
     RETURN_PATH_NO_GATEWAY,
     NULL},
    {"no gateway of one family",
     "bridge",
     false,
     V4,
     0,
     {"m", 0, BOTH, 0},
     {{0}},
     RETURN_PATH_FINE,
     RETURN_PATH_NO_GATEWAY,
     NULL},
    {"no gateway of a family that is not there",
     "bridge",
     false,
     V4,
     0,
     {"m", 0, V4, 0},
     {{0}},
     RETURN_PATH_FINE,
     RETURN_PATH_FINE,
     NULL},
    {"internal", "bridge", true, BOTH, 0, {"m", 0, BOTH, 0}, {{0}}, RETURN_PATH_INTERNAL, RETURN_PATH_INTERNAL, NULL},
    {"a gateway that somebody else holds",
     "bridge",
     false,
     BOTH,
     V6,
     {"m", 0, BOTH, 0},
     {{0}},
     RETURN_PATH_FINE,
     RETURN_PATH_FOREIGN_GATEWAY,
     NULL},
    {"of another driver nothing is known",
     "overlay",
     false,
     0,
     BOTH,
     {"m", 0, BOTH, 0},
     {{"a", 0, BOTH, 0}},
     RETURN_PATH_FINE,
     RETURN_PATH_FINE,
     NULL},
};

static struct return_path_attachment attach(const struct place *place, const struct docker_network *network)
{
    return (struct return_path_attachment){
        .network = network,
        .has_address = {place->families & V4, place->families & V6},
        .gateway_priority = place->priority,
    };
}

static void check(const struct check_case *c)
{
    struct docker_network networks[3] = {make_network(c->shared.name, c->driver, c->is_internal, c->gateways)};
    struct return_path path = {.may_be_claimed = {!(c->unclaimed & V4), !(c->unclaimed & V6)}};
    const struct docker_network *others[2];

    for (size_t i = 0; i < 2 && c->others[i].name; i++) {
        networks[i + 1] = make_network(c->others[i].name, "bridge", c->others[i].is_internal, 0);
        path.attachments[path.count++] = attach(&c->others[i], &networks[i + 1]);
    }
    path.shared = path.count;
    path.attachments[path.count++] = attach(&c->shared, &networks[0]);
    if (return_path_check(&path, FAMILY_INDEX_4, &others[0]) != c->fault4 ||
        return_path_check(&path, FAMILY_INDEX_6, &others[1]) != c->fault6)
        fail_msg("%s: another fault", c->what);
    for (size_t i = 0; i < 2; i++) {
        if ((i == 0 ? c->fault4 : c->fault6) == RETURN_PATH_OTHER_ROUTE)
            assert_string_equal(others[i]->name, c->other);
        else
            assert_null(others[i]);
    }
}

static void the_way_back_is_judged_as_docker_routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        check(&cases[i]);
}

static void a_service_anchor_is_judged_by_its_health(void **state)
{
    (void)state;
    assert_int_equal(return_path_check_anchor(DOCKER_HEALTH_NONE), RETURN_PATH_FINE);
    assert_int_equal(return_path_check_anchor(DOCKER_HEALTH_HEALTHY), RETURN_PATH_FINE);
    assert_int_equal(return_path_check_anchor(DOCKER_HEALTH_STARTING), RETURN_PATH_ANCHOR_STARTING);
    assert_int_equal(return_path_check_anchor(DOCKER_HEALTH_UNHEALTHY), RETURN_PATH_ANCHOR_UNHEALTHY);
}

static const struct docker_version engine_28 = {.engine = "28.5.2", .api = 51};
static const struct docker_version engine_27 = {.engine = "27.5.1", .api = 47};
static const struct docker_version podman = {.engine = "5.8.6", .api = 44, .is_podman = true};

static void expect_remedy(enum return_path_fault fault, size_t family, const struct docker_network *shared,
                          const struct docker_version *engine, const char *part)
{
    char text[RETURN_PATH_REMEDY_SIZE];

    if (!strstr(return_path_remedy(fault, family, shared, "mail_a", engine, text), part))
        fail_msg("%s is not in: %s", part, text);
}

static void each_fault_has_a_remedy_for_this_engine(void **state)
{
    struct docker_network shared = make_network("mail_transit", "bridge", false, 0);
    char text[RETURN_PATH_REMEDY_SIZE];

    (void)state;
    expect_remedy(RETURN_PATH_NO_GATEWAY, FAMILY_INDEX_4, &shared, &engine_28,
                  "with `aux_addresses: {DefaultGatewayIPv4: \"172.30.0.2\"}` in its ipam.config");
    expect_remedy(RETURN_PATH_NO_GATEWAY, FAMILY_INDEX_6, &shared, &engine_28,
                  "aux_addresses: {DefaultGatewayIPv6: \"fd30::2\"}");
    shared.subnets[0].gateway = parse_address("172.30.0.2");
    expect_remedy(RETURN_PATH_INTERNAL, FAMILY_INDEX_4, &shared, &engine_28, "DefaultGatewayIPv4: \"172.30.0.3\"");
    expect_remedy(RETURN_PATH_OTHER_ROUTE, FAMILY_INDEX_4, &shared, &engine_28,
                  "`gw_priority: 1` on the service's network mail_transit");
    expect_remedy(RETURN_PATH_OTHER_ROUTE, FAMILY_INDEX_4, &shared, &engine_27, "first in the alphabet");
    for (int fault = RETURN_PATH_OTHER_ROUTE; fault <= RETURN_PATH_ANCHOR_UNHEALTHY; fault++) {
        (void)return_path_remedy((enum return_path_fault)fault, FAMILY_INDEX_6, &shared, "mail_other", &engine_28,
                                 text);
        assert_true(strstr(text, "mail_transit") || strstr(text, "mail_other"));
        assert_int_equal(strncmp(return_path_message((enum return_path_fault)fault), "replies do not come back", 24),
                         0);
    }
}

/* Podman takes neither auxiliary addresses nor gw_priority nor enable_ip_masquerade. */
static void the_remedy_for_podman_is_one_that_podman_takes(void **state)
{
    struct docker_network shared = make_network("mail_transit", "bridge", false, 0);
    char text[RETURN_PATH_REMEDY_SIZE];

    (void)state;
    for (int fault = RETURN_PATH_INTERNAL; fault <= RETURN_PATH_NO_GATEWAY; fault++) {
        expect_remedy((enum return_path_fault)fault, FAMILY_INDEX_4, &shared, &podman,
                      "by `podman network create` with `--opt no_default_route=1 --route 0.0.0.0/0,172.30.0.2 --label "
                      "anchord.gateway.v4=172.30.0.2`");
        expect_remedy((enum return_path_fault)fault, FAMILY_INDEX_6, &shared, &podman,
                      "--route ::/0,fd30::2 --label anchord.gateway.v6=fd30::2`");
    }
    expect_remedy(RETURN_PATH_OTHER_ROUTE, FAMILY_INDEX_4, &shared, &podman, "`internal: true` on the network mail_a");
    for (int fault = RETURN_PATH_OTHER_ROUTE; fault <= RETURN_PATH_ANCHOR_UNHEALTHY; fault++) {
        (void)return_path_remedy((enum return_path_fault)fault, FAMILY_INDEX_6, &shared, "mail_other", &podman, text);
        assert_null(strstr(text, "aux_addresses"));
        assert_null(strstr(text, "gw_priority"));
        assert_null(strstr(text, "enable_ip_masquerade"));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way_back_is_judged_as_docker_routes),
        cmocka_unit_test(a_service_anchor_is_judged_by_its_health),
        cmocka_unit_test(each_fault_has_a_remedy_for_this_engine),
        cmocka_unit_test(the_remedy_for_podman_is_one_that_podman_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
