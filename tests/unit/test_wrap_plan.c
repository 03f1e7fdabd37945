/* Unit tests of workers/commands/wrap: from a project as JSON to plan, findings and what --check compares (SPEC §9). */
#include "common/cleanup.h"
#include "workers/commands/wrap/check.h"
#include "workers/commands/wrap/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct json_tree tree;
    struct project project;
    struct json_tree_error error;
    struct wrap_options options;
    struct plan plan;
};

static void release(struct fixture *fixture)
{
    arena_release(&fixture->arena);
}

/* Plans the project whose services are `services`, on the networks `default`, `back` and an internal `inside`. */
static int plan_with_networks(struct fixture *fixture, const char *services, const char *networks)
{
    char *text = arena_format(&fixture->arena, "{\"name\": \"demo\", \"services\": {%s}, \"networks\": {%s}}", services,
                              networks);
    int result;

    assert_non_null(text);
    fixture->options.lan = "lan";
    result = json_tree_parse(&fixture->arena, text, strlen(text), &fixture->tree, &fixture->error);
    if (result == 0)
        result = project_read(&fixture->tree, &fixture->project, &fixture->error);
    return result < 0 ? result : plan_make(&fixture->arena, &fixture->project, &fixture->options, &fixture->plan);
}

static void plan(struct fixture *fixture, const char *services)
{
    assert_int_equal(plan_with_networks(fixture, services,
                                        "\"default\": {\"name\": \"demo_default\", \"ipam\": {}},"
                                        "\"back\": {\"name\": \"a-shared-one\", \"external\": true},"
                                        "\"inside\": {\"name\": \"demo_inside\", \"internal\": true}"),
                     0);
}

static const struct planned_service *service(const struct fixture *fixture, const char *name)
{
    for (size_t i = 0; i < fixture->plan.service_count; i++) {
        if (strcmp(fixture->plan.services[i].service->name, name) == 0)
            return &fixture->plan.services[i];
    }
    fail_msg("no service %s", name);
    return NULL;
}

/* Whether a finding of the service (NULL: of the project) holds `words`. */
static bool found(const struct fixture *fixture, bool is_problem, const char *name, const char *words)
{
    for (const struct plan_finding *finding = fixture->plan.findings; finding; finding = finding->next) {
        if (finding->is_problem == is_problem && strstr(finding->text, words) &&
            (name ? finding->service && strcmp(finding->service, name) == 0 : !finding->service))
            return true;
    }
    return false;
}

#define WITH_PORTS(name, ports) "\"" name "\": {\"networks\": {\"default\": null}, \"ports\": [" ports "]}"
#define PORT(target, published) \
    "{\"mode\": \"ingress\", \"target\": " #target ", \"published\": \"" published "\", \"protocol\": \"tcp\"}"
#define UDP(target, published) "{\"target\": " #target ", \"published\": \"" published "\", \"protocol\": \"udp\"}"
#define BOUND(ip, target, published) \
    "{\"host_ip\": \"" ip "\", \"target\": " #target ", \"published\": \"" published "\", \"protocol\": \"tcp\"}"

static void test_ports_become_a_label(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};

    (void)state;
    plan(&fixture,
         WITH_PORTS("web", PORT(8080, "80") "," PORT(443, "443") "," UDP(443, "443") "," UDP(5000, "6000") "," UDP(
                               5001, "6001") "," UDP(5002, "6002")) ",\"db\": {\"networks\": {\"default\": null}}");
    assert_string_equal(service(&fixture, "web")->label, "tcp/80:8080, tcp/443, udp/443, udp/6000-6002:5000-5002");
    assert_true(service(&fixture, "web")->must_join && service(&fixture, "web")->must_remove_ports);
    assert_null(service(&fixture, "db")->label);
    assert_int_equal(fixture.plan.problem_count, 0);
}

/* SPEC 0: every container of the project leaves with the same source address. */
static void test_what_has_a_way_out_joins(void **state)
{
    static const char services[] = "\"db\": {\"networks\": {\"inside\": null}},"
                                   "\"tool\": {\"network_mode\": \"bridge\"},"
                                   "\"worker\": {\"networks\": {\"default\": {}}}";
    CLEANUP(release) struct fixture all = {0};
    CLEANUP(release) struct fixture with_ports = {.options.ports_only = true};

    (void)state;
    plan(&all, services);
    assert_false(plan_changes(service(&all, "db")));
    assert_true(service(&all, "tool")->must_join && service(&all, "tool")->must_leave_mode);
    assert_true(service(&all, "worker")->must_join);
    assert_null(service(&all, "worker")->label);
    assert_true(found(&all, false, NULL, "the project's address (--ports-only leaves them out): tool, worker"));
    plan(&with_ports, services);
    for (size_t i = 0; i < with_ports.plan.service_count; i++)
        assert_false(plan_changes(&with_ports.plan.services[i]));
    assert_true(found(&with_ports, false, NULL, "host's address, since they stay off transit: tool, worker"));
}

static void test_bound_ports_are_not_opened_to_the_lan(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};

    (void)state;
    plan(&fixture,
         WITH_PORTS("web", PORT(80, "80") "," BOUND("127.0.0.1", 1, "1001") "," BOUND("::1", 2, "1002") "," BOUND(
                               "192.0.2.7", 3,
                               "1003") "," BOUND("0.0.0.0", 4,
                                                 "1004") "," BOUND("::", 5, "1005")) "," WITH_PORTS("only",
                                                                                                    BOUND("192.0.2.7",
                                                                                                          9, "1009")));
    assert_string_equal(service(&fixture, "web")->label, "tcp/80, tcp/1004:4, tcp/1005:5");
    assert_int_equal(service(&fixture, "web")->kept_count, 2);
    assert_true(found(&fixture, false, "web", "tcp/1001:1 stays published on 127.0.0.1"));
    assert_true(found(&fixture, true, "web", "192.0.2.7"));
    assert_true(found(&fixture, false, "web", "IPv4 alone"));
    assert_true(found(&fixture, true, "only", "192.0.2.7"));
    assert_false(plan_changes(service(&fixture, "only")));
    assert_true(found(&fixture, false, NULL, "host's address, since they stay off transit: only"));
}

static void test_ports_that_have_no_one_answer(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};

    (void)state;
    plan(&fixture,
         WITH_PORTS("web", PORT(70, "7000-7005") ",{\"target\": 9, \"protocol\": \"sctp\", \"published\": \"9\"},"
                                                 "{\"target\": 4000}"));
    assert_string_equal(service(&fixture, "web")->label, "tcp/4000, tcp/7000:70");
    assert_true(found(&fixture, true, "web", "7000 alone"));
    assert_true(found(&fixture, true, "web", "sctp/9"));
    assert_true(found(&fixture, false, "web", "tcp/4000 had whatever port"));
}

static void test_a_port_has_one_holder(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};

    (void)state;
    plan(&fixture,
         WITH_PORTS("a", PORT(1, "80")) "," WITH_PORTS(
             "b", PORT(2, "80") "," PORT(
                      3, "81")) ","
                                "\"c\": {\"profiles\": [\"x\"], \"networks\": {\"default\": null}, \"ports\": [" PORT(
                                    4, "80") "]}," WITH_PORTS("d", PORT(5, "90") "," PORT(6, "90") "," PORT(5, "90")));
    assert_string_equal(service(&fixture, "a")->label, "tcp/80:1");
    assert_string_equal(service(&fixture, "b")->label, "tcp/81:3");
    assert_string_equal(service(&fixture, "c")->label, "tcp/80:4");
    assert_string_equal(service(&fixture, "d")->label, "tcp/90:5");
    assert_true(found(&fixture, true, "b", "tcp/80 is not exposed: a has it"));
    assert_true(found(&fixture, false, "c", "profiles"));
    assert_true(found(&fixture, true, "d", "tcp/90 is not exposed"));
}

static void test_joined_services_speak_through_their_owner(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};

    (void)state;
    plan(&fixture, "\"a\": {\"network_mode\": \"service:b\", \"ports\": [" PORT(
                       1, "1") "]},"
                               "\"b\": {\"network_mode\": \"container:of-c\"},"
                               "\"c\": {\"container_name\": \"of-c\", \"networks\": {\"default\": null}},"
                               "\"d\": {\"network_mode\": \"container:elsewhere\"},"
                               "\"e\": {\"network_mode\": \"service:f\"}, \"f\": {\"network_mode\": \"service:e\"}");
    assert_string_equal(service(&fixture, "c")->label, "tcp/1");
    assert_true(service(&fixture, "a")->must_remove_ports);
    assert_null(service(&fixture, "a")->label);
    assert_true(found(&fixture, true, "d", "container:elsewhere"));
    assert_true(found(&fixture, true, "e", "not of this project"));
}

static void test_networks_that_cannot_be_left(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};

    (void)state;
    plan(&fixture, "\"a\": {\"network_mode\": \"host\"}, \"b\": {\"network_mode\": \"service:a\"},"
                   "\"c\": {\"network_mode\": \"none\"},"
                   "\"d\": {\"network_mode\": \"none\", \"ports\": [" PORT(
                       1, "1") "]},"
                               "\"e\": {\"network_mode\": \"bridge\", \"ports\": [" PORT(
                                   2, "2") "]},"
                                           "\"f\": {\"network_mode\": \"of-another-kind\"}");
    assert_true(found(&fixture, true, "a", "network_mode: host"));
    assert_true(found(&fixture, true, "b", "a, which uses the host's network"));
    assert_true(found(&fixture, true, "d", "network_mode: none"));
    assert_true(found(&fixture, true, "f", "of-another-kind"));
    assert_int_equal(fixture.plan.problem_count, 4);
    assert_true(service(&fixture, "e")->must_leave_mode);
    assert_string_equal(service(&fixture, "e")->label, "tcp/2");
}

/* DISC-8: a-shared-one < demo_0-transit < demo_default */
static void test_the_way_out_is_transit(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};

    (void)state;
    plan(&fixture,
         WITH_PORTS(
             "a",
             PORT(1,
                  "1")) ","
                        "\"b\": {\"networks\": {\"back\": null, \"default\": {}}, \"ports\": [" PORT(
                            2,
                            "2") "]},"
                                 "\"c\": {\"networks\": {\"default\": {\"gw_priority\": 7}}, \"ports\": [" PORT(
                                     3,
                                     "3") "]},"
                                          "\"d\": {\"networks\": {\"back\": {\"gw_priority\": -1}}, \"ports\": [" PORT(
                                              4, "4") "]}");
    assert_int_equal(service(&fixture, "a")->gateway_priority, 0);
    assert_int_equal(service(&fixture, "b")->gateway_priority, 1);
    assert_int_equal(service(&fixture, "c")->gateway_priority, 8);
    assert_int_equal(service(&fixture, "d")->gateway_priority, 0);
    assert_true(found(&fixture, false, "b", "Engine 28"));
}

static void test_surroundings_are_named(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};

    (void)state;
    assert_int_equal(
        plan_with_networks(
            &fixture,
            "\"a\": {\"privileged\": true, \"networks\": {\"lan\": {}}, \"ports\": [" PORT(
                1, "1") "]},"
                        "\"network-anchor\": {\"deploy\": {\"replicas\": 3}, \"ports\": [" PORT(
                            2, "2") "]},"
                                    "\"z\": {\"labels\": {\"anchord.expose\": \"tcp/9\"}, \"ports\": [" PORT(3,
                                                                                                             "3") "]}",
            "\"lan\": {\"driver\": \"macvlan\", \"name\": \"demo_lan\"}"),
        0);
    assert_true(found(&fixture, true, "a", "macvlan"));
    assert_true(found(&fixture, false, "a", "privileged"));
    assert_true(found(&fixture, true, "network-anchor", "runs 3 times"));
    assert_true(found(&fixture, true, "z", "would make \"tcp/3\""));
    assert_null(service(&fixture, "z")->label);
    assert_string_equal(fixture.plan.names.network_anchor, "anchord-network-anchor");
    assert_string_equal(fixture.plan.names.lan, "anchord-lan");
}

static void test_a_subnet_is_the_projects_alone(void **state)
{
    CLEANUP(release) struct fixture free = {0};
    CLEANUP(release) struct fixture taken = {0};
    CLEANUP(release) struct fixture pinned = {0};
    char subnet[IP_SUBNET_TEXT_SIZE];
    char address[IP_ADDRESS_TEXT_SIZE];
    char networks[160];

    (void)state;
    plan(&free, "\"a\": {}");
    (void)ip_subnet_format(&free.plan.subnets[OPTIONS_IPV4], subnet);
    (void)snprintf(networks, sizeof(networks), "\"x\": {\"ipam\": {\"config\": [{\"subnet\": \"%s\"}]}}", subnet);
    assert_int_equal(plan_with_networks(&taken, "\"a\": {}", networks), 0);
    assert_false(ip_subnet_contains(&free.plan.subnets[OPTIONS_IPV4], &taken.plan.subnets[OPTIONS_IPV4].address));
    pinned.options.subnets[OPTIONS_IPV4] = free.plan.subnets[OPTIONS_IPV4];
    assert_int_equal(plan_with_networks(&pinned, "\"a\": {}", networks), -EINVAL);
    assert_true(found(&pinned, true, NULL, "overlaps the project's network x"));
    assert_int_equal(free.plan.gateways[OPTIONS_IPV6].bytes[15], 2);
    assert_string_equal(strrchr(ip_address_format(&free.plan.gateways[OPTIONS_IPV4], address), '.'), ".2");
}

static void test_a_wrapped_project_has_nothing_to_do(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};
    char records[] = "# wrapped \"web\": exposes tcp/80\n";

    (void)state;
    assert_int_equal(
        plan_with_networks(
            &fixture,
            "\"anchor\": {\"environment\": {\"ANCHORD_EXT_NETWORK\": \"lan\"}, \"networks\": {\"through\": null}},"
            "\"web\": {\"labels\": {\"anchord.expose\": \"tcp/80\"}, \"networks\": {\"through\": null}},"
            "\"worker\": {\"networks\": {\"default\": null, \"through\": null}},"
            "\"late\": {\"networks\": {\"default\": null}, \"ports\": [" PORT(1, "1") "]}",
            "\"default\": {}, \"through\": {\"ipam\": {\"config\": [{\"subnet\": \"10.1.2.0/24\","
            "\"aux_addresses\": {\"DefaultGatewayIPv4\": \"10.1.2.2\"}}]}}"),
        0);
    assert_true(fixture.plan.is_wrapped);
    assert_string_equal(fixture.plan.names.transit, "through");
    assert_false(plan_changes(service(&fixture, "web")));
    assert_false(plan_changes(service(&fixture, "worker")));
    assert_false(found(&fixture, false, NULL, "off transit"));
    assert_true(service(&fixture, "late")->must_join);
    assert_int_equal(service(&fixture, "late")->gateway_priority, 1); /* default < through */
    assert_int_equal(check_compare(&fixture.plan, records, stdout), -EEXIST);
}

static void test_check_names_what_changed(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};
    char same[] = "services:\r\n# wrapped \"web\": exposes tcp/80; joins transit\r\n";
    char other[] = "# wrapped \"web\": exposes tcp/80\x1b\n# wrapped \"gone\": exposes nothing\n# wrapped \"cut";
    char none[] = "services: {}\n# wrapped\n# wrapped \"web\n";
    CLEANUP_FREE char *text = NULL;
    size_t length = 0;
    FILE *stream;

    (void)state;
    plan(&fixture, WITH_PORTS("web", PORT(80, "80")));
    stream = open_memstream(&text, &length);
    assert_non_null(stream);
    assert_int_equal(check_compare(&fixture.plan, same, stream), 0);
    assert_int_equal(check_compare(&fixture.plan, none, stream), -ENODATA);
    assert_int_equal(check_compare(&fixture.plan, other, stream), 2);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(text, "web: has changed: it was \"exposes tcp/80?\", it is \"exposes tcp/80; joins transit\"\n"
                              "gone: is gone\n");
}

static void test_a_label_that_nobody_reads_is_not_made(void **state)
{
    CLEANUP(release) struct fixture fixture = {0};
    CLEANUP_FREE char *ports = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&ports, &length);

    (void)state;
    assert_non_null(stream);
    for (unsigned int port = 10001; port < 14000; port += 3)
        (void)fprintf(stream, "%s{\"target\": %u, \"published\": \"%u\"}", port > 10001 ? "," : "", port, port);
    assert_int_equal(fclose(stream), 0);
    plan(&fixture, arena_format(&fixture.arena, "\"web\": {\"ports\": [%s]}", ports));
    assert_true(found(&fixture, true, "web", "8191"));
    assert_false(plan_changes(service(&fixture, "web")));
}

static void test_errors_say_where(void **state)
{
    static const struct {
        const char *services;
        const char *expected;
    } cases[] = {
        {"\"a\": {\"ports\": [{\"target\": 0}]}",
         "line 1, column 58 (byte 57), at services.a.ports[0].target: a whole number from 1 to 65535"},
        {"\"a\": {\"ports\": [{\"target\": 1}, \"80:80\"]}", "at services.a.ports[1]: a port in the long form"},
        {"\"a\": {\"ports\": [{\"target\": 1, \"published\": \"9-1\"}]}", "ports[0].published: a port or a range"},
        {"\"a\": {\"ports\": [{}]}", "ports[0]: the port has no target"},
        {"\"a\": {\"networks\": {\"gone\": {}}}", "at services.a.networks.gone: the project has no network"},
        {"\"a\": {\"labels\": [\"x=y\"]}", "at services.a.labels: an object is expected"},
        {"\"a\": {\"privileged\": \"yes\"}", "at services.a.privileged: true or false"},
        {"\"a\": {\"network_mode\": 7}", "at services.a.network_mode: a string"},
        {"\"a\": {}, \"a\": {}", "at services.a: this service stands here twice"},
        {"\"a b\": {}", "at services.a b: a name of up to 200"},
        {"\"a\": {\"image\": \"\\u0000\"}", "a NUL character"},
        {"", "no services"},
        {"\"a\": {,", "at services.a: parse error"},
        {"\"a\": {\"x\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "deeper than"},
        {"\"a\xff\": {}", "invalid bytes in UTF8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(release) struct fixture fixture = {0};
        int result = plan_with_networks(&fixture, cases[i].services, "");

        assert_true(result == -EBADMSG || result == -EMSGSIZE);
        if (!strstr(fixture.error.text, cases[i].expected))
            fail_msg("%s\nsays: %s", cases[i].services, fixture.error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports_become_a_label),
        cmocka_unit_test(test_what_has_a_way_out_joins),
        cmocka_unit_test(test_bound_ports_are_not_opened_to_the_lan),
        cmocka_unit_test(test_ports_that_have_no_one_answer),
        cmocka_unit_test(test_a_port_has_one_holder),
        cmocka_unit_test(test_joined_services_speak_through_their_owner),
        cmocka_unit_test(test_networks_that_cannot_be_left),
        cmocka_unit_test(test_the_way_out_is_transit),
        cmocka_unit_test(test_surroundings_are_named),
        cmocka_unit_test(test_a_subnet_is_the_projects_alone),
        cmocka_unit_test(test_a_wrapped_project_has_nothing_to_do),
        cmocka_unit_test(test_check_names_what_changed),
        cmocka_unit_test(test_a_label_that_nobody_reads_is_not_made),
        cmocka_unit_test(test_errors_say_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
