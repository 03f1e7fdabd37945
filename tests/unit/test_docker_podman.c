/*
 * Unit tests of the parsers with what Podman 5.8.6 answers (its Docker API, 1.44), where that differs from Docker
 * Engine's answers. Recorded; IDs are shortened to one letter repeated.
 */
#include "tests/unit/docker_feed.h"
#include "workers/docker/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_N "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static const struct docker_label_names label_names = {.names = {"anchord.expose"}, .count = 1};

static struct {
    size_t container_count;
    struct docker_container container; /* the last */
    size_t event_count;
    struct docker_event events[2];
} seen;

static void on_container(void *userdata, const struct docker_container *container)
{
    (void)userdata;
    seen.container_count++;
    seen.container = *container;
}

static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    fail_msg("%s %s: %s", id, name, reason);
}

static void on_event(void *userdata, const struct docker_event *event)
{
    (void)userdata;
    assert_true(seen.event_count < ARRAY_LENGTH(seen.events));
    seen.events[seen.event_count++] = *event;
}

/* No HostConfig, and fields of an inspected container that are null. */
#define CONTAINERS                                                                                                   \
    "[{\"Id\":\"" ID_B                                                                                               \
    "\",\"Names\":[\"/web\"],\"Image\":\"docker.io/library/python:3.11-slim-bookworm\",\"ImageID\":"                 \
    "\"sha256:6d2a\",\"Command\":\"services --name web --tcp 80\",\"Created\":1795377577,\"Ports\":[],\"Labels\":{"  \
    "\"anchord.expose\":\"tcp/80\"},\"State\":\"running\",\"Status\":\"Up 1 "                                        \
    "second\",\"NetworkSettings\":{\"Networks\":{"                                                                   \
    "\"transit\":{\"IPAMConfig\":null,\"Links\":null,\"Aliases\":[\"0928e8620517\"],\"MacAddress\":"                 \
    "\"66:87:47:72:2c:05\",\"DriverOpts\":null,\"GwPriority\":0,\"NetworkID\":\"" ID_N "\",\"EndpointID\":\"\","     \
    "\"Gateway\":\"10.31.0.1\",\"IPAddress\":\"10.31.0.3\",\"IPPrefixLen\":24,\"IPv6Gateway\":\"fd31::1\","          \
    "\"GlobalIPv6Address\":\"fd31::3\",\"GlobalIPv6PrefixLen\":64,\"DNSNames\":null}}},\"Mounts\":[],\"Name\":\"\"," \
    "\"Config\":null,\"NetworkingConfig\":null,\"Platform\":null,\"DefaultReadOnlyNonRecursive\":false}]"

/* The arguments alone; Docker's Command begins with the entrypoint. */
static void a_service_anchor_is_known_by_its_arguments(void **state)
{
    static const struct {
        const char *command;
        bool is_service_anchor;
    } cases[] = {{"service-anchor", true}, {"service-anchor -x", true}, {"service-anchors", false}, {"sleep 1", false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
        char text[256];

        (void)snprintf(text, sizeof(text), "[{\"Id\":\"" ID_B "\",\"Command\":\"%s\"}]", cases[i].command);
        memset(&seen, 0, sizeof(seen));
        assert_int_equal(docker_parser_new_containers(&label_names, on_container, on_odd, NULL, &parser), 0);
        assert_int_equal(docker_feed(parser, text), 0);
        assert_int_equal(seen.container.is_service_anchor, cases[i].is_service_anchor);
    }
}

static void a_container_is_read(void **state)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(docker_parser_new_containers(&label_names, on_container, on_odd, NULL, &parser), 0);
    assert_int_equal(docker_feed(parser, CONTAINERS), 0);
    assert_int_equal(seen.container_count, 1);
    assert_string_equal(seen.container.name, "web");
    assert_true(seen.container.is_running);
    assert_false(seen.container.tells_network_mode || seen.container.joins_another);
    assert_int_equal(seen.container.health, DOCKER_HEALTH_NONE);
    assert_string_equal(seen.container.labels[0].text, "tcp/80");
    assert_int_equal(seen.container.endpoint_count, 1);
    assert_string_equal(ip_address_format(&seen.container.endpoints[0].address4, text), "10.31.0.3");
    assert_string_equal(ip_address_format(&seen.container.endpoints[0].address6, text), "fd31::3");
}

#define DOCKER_CONNECT                                                                                           \
    "{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"" ID_N "\",\"Attributes\":{\"container\":" \
    "\"" ID_B "\"}},\"timeNano\":2}\n"

/* The container is the actor, the network an attribute (DISC-1). */
#define CONNECT_EVENT                                                                                              \
    "{\"status\":\"connect\",\"id\":\"" ID_B                                                                       \
    "\",\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"" ID_B                                     \
    "\",\"Attributes\":{\"image\":\"\",\"name\":\"web\",\"network\":\"lan\",\"podId\":\"\"}},\"scope\":\"local\"," \
    "\"time\":1795377578,\"timeNano\":1795377578847210038}\n"

static void a_network_event_names_the_container(void **state)
{
    static const char text[] = CONNECT_EVENT DOCKER_CONNECT;
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(docker_parser_new_events(&label_names, on_event, NULL, &parser), 0);
    assert_int_equal(docker_feed(parser, text), 0);
    assert_int_equal(seen.event_count, 2);
    assert_int_equal(seen.events[0].type, DOCKER_EVENT_NETWORK);
    assert_string_equal(seen.events[0].action, "connect");
    assert_string_equal(seen.events[0].container_id, ID_B);
    assert_string_equal(seen.events[0].network_id, "");
    assert_string_equal(seen.events[1].network_id, ID_N);
    assert_string_equal(seen.events[1].container_id, ID_B); /* Docker's form, behind one of Podman's */
}

/* What is said of a network that `podman network create --label …` made. */
#define NETWORK(labels)                                                                                             \
    "{\"Name\":\"transit\",\"Id\":\"" ID_N "\",\"Created\":\"2026-11-22T20:05:52.076916209Z\",\"Scope\":\"local\"," \
    "\"Driver\":\"bridge\",\"EnableIPv4\":false,\"EnableIPv6\":true,\"IPAM\":{\"Driver\":\"default\",\"Options\":"  \
    "{\"driver\":\"host-local\"},\"Config\":[{\"Subnet\":\"10.31.0.0/24\",\"Gateway\":\"10.31.0.1\"},{\"Subnet\":"  \
    "\"fd31::/64\",\"Gateway\":\"fd31::1\"}]},\"Internal\":false,\"Attachable\":false,\"Ingress\":false,"           \
    "\"ConfigFrom\":{\"Network\":\"\"},\"ConfigOnly\":false,\"Containers\":{},\"Options\":{\"no_default_route\":"   \
    "\"true\"},\"Labels\":{" labels "}}"

static int parse_network(const char *text, struct docker_network *network)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    assert_int_equal(docker_parser_new_network(network, NULL, NULL, &parser), 0);
    return docker_feed(parser, text);
}

static void labels_name_the_gateways_of_a_network(void **state)
{
    struct docker_network network;
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(parse_network(NETWORK("\"anchord.gateway.v4\":\"10.31.0.2\","
                                           "\"anchord.gateway.v6\":\"fd31::2\""),
                                   &network),
                     0);
    assert_string_equal(ip_address_format(&network.subnets[0].auxiliary_gateway, text), "10.31.0.2");
    assert_string_equal(ip_address_format(&network.subnets[1].auxiliary_gateway, text), "fd31::2");
    assert_int_equal(parse_network(NETWORK("\"other\":\"10.31.0.2\""), &network), 0);
    assert_int_equal(network.subnets[0].auxiliary_gateway.family, IP_FAMILY_NONE);
    assert_int_equal(parse_network(NETWORK("\"anchord.gateway.v4\":\"10.32.0.2\""), &network), -EBADMSG);
    assert_int_equal(parse_network(NETWORK("\"anchord.gateway.v4\":\"fd31::2\""), &network), -EBADMSG);
    assert_int_equal(parse_network(NETWORK("\"anchord.gateway.v6\":7"), &network), -EBADMSG);
}

static void an_auxiliary_gateway_counts_more_than_a_label(void **state)
{
    struct docker_network network;
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(
        parse_network("{\"Labels\":{\"anchord.gateway.v4\":\"10.0.0.3\"},\"Name\":\"transit\",\"Id\":\"" ID_N
                      "\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.0.0.0/24\",\"AuxiliaryAddresses\":"
                      "{\"DefaultGatewayIPv4\":\"10.0.0.2\"}}]}}",
                      &network),
        0);
    assert_string_equal(ip_address_format(&network.subnets[0].auxiliary_gateway, text), "10.0.0.2");
}

/* Docker names it where the network was made with --ip-range, and may leave it empty (WALL-5). */
static void a_network_may_have_a_range(void **state)
{
    static const struct {
        const char *range, *wanted;
    } cases[] = {{"10.39.0.129/25", "10.39.0.128/25"}, {"", "-/0"}, {"10.40.0.0/25", NULL}, {"x", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct docker_network network;
        char text[IP_SUBNET_TEXT_SIZE];
        char json[256];

        (void)snprintf(json, sizeof(json),
                       "{\"Name\":\"n\",\"Id\":\"" ID_N "\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.39.0.0/24\","
                       "\"IPRange\":\"%s\"}]}}",
                       cases[i].range);
        assert_int_equal(parse_network(json, &network), cases[i].wanted ? 0 : -EBADMSG);
        if (cases[i].wanted)
            assert_string_equal(ip_subnet_format(&network.subnets[0].range, text), cases[i].wanted);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_container_is_read),
        cmocka_unit_test(a_service_anchor_is_known_by_its_arguments),
        cmocka_unit_test(a_network_event_names_the_container),
        cmocka_unit_test(labels_name_the_gateways_of_a_network),
        cmocka_unit_test(an_auxiliary_gateway_counts_more_than_a_label),
        cmocka_unit_test(a_network_may_have_a_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
