/* Unit tests of GET /networks/ID as Docker answers it (workers/docker/network_json.c): subnets, gateways, who is
 * attached. */
#include "workers/docker/records.h"

#include "common/cleanup.h"
#include "tests/unit/docker_feed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_N "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define ID_D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

static int parse_network(const char *configuration, struct docker_network *network)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    CLEANUP_FREE char *text = NULL;

    assert_true(asprintf(&text,
                         "{\"Name\":\"transit\",\"Id\":\"" ID_N "\",\"Driver\":\"bridge\",\"Internal\":true,"
                         "\"IPAM\":{\"Options\":null,\"Config\":[%s]},\"Containers\":{}}",
                         configuration) > 0);
    assert_int_equal(docker_parser_new_network(network, NULL, NULL, &parser), 0);
    return docker_feed(parser, text);
}

static void a_network_has_subnets_and_gateways(void **state)
{
    struct docker_network network;
    char text[IP_SUBNET_TEXT_SIZE];

    (void)state;
    assert_int_equal(parse_network("{\"Subnet\":\"172.30.0.9/24\",\"Gateway\":\"172.30.0.1\",\"AuxiliaryAddresses\":"
                                   "{\"DefaultGatewayIPv4\":\"172.30.0.2\",\"x\":\"172.30.0.3\"}},"
                                   "{\"Subnet\":\"fd30::/64\",\"Gateway\":\"fd30::1/64\",\"AuxiliaryAddresses\":"
                                   "{\"DefaultGatewayIPv6\":\"fd30::2\"}}",
                                   &network),
                     0);
    assert_string_equal(network.name, "transit");
    assert_string_equal(network.driver, "bridge");
    assert_true(network.is_internal);
    assert_int_equal(network.subnet_count, 2);
    assert_string_equal(ip_subnet_format(&network.subnets[0].subnet, text), "172.30.0.0/24");
    assert_string_equal(ip_address_format(&network.subnets[0].gateway, text), "172.30.0.1");
    assert_string_equal(ip_address_format(&network.subnets[0].auxiliary_gateway, text), "172.30.0.2");
    assert_string_equal(ip_address_format(&network.subnets[1].gateway, text), "fd30::1");
    assert_string_equal(ip_address_format(&network.subnets[1].auxiliary_gateway, text), "fd30::2");
}

struct attached_list {
    size_t count;
    struct docker_attached items[4];
};

static void keep_attached(void *userdata, const struct docker_attached *attached)
{
    struct attached_list *list = userdata;

    list->items[list->count++] = *attached;
}

/* DISC-5: where an owner of a namespace is that is not in scope. Others may be odd. */
static void a_network_names_who_is_attached(void **state)
{
    static const char text[] =
        "{\"Name\":\"transit\",\"Id\":\"" ID_N "\",\"Containers\":{\"" ID_N "\":{\"Name\":\"vpn\",\"EndpointID\":\"e\","
        "\"IPv4Address\":\"172.30.0.9/24\",\"IPv6Address\":\"fd30::9/64\"},\"ep-x\":{\"Name\":\"x\"},\"" ID_A
        "\":{\"IPv4Address\":\"fd30::9/64\"},\"" ID_B "\":null,\"" ID_D "\":{\"Name\":3,\"IPv4Address\":\"\"}}}";
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    struct attached_list list = {0};
    struct docker_network network;
    char address[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(docker_parser_new_network(&network, keep_attached, &list, &parser), 0);
    assert_int_equal(docker_feed(parser, text), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].id, ID_N);
    assert_string_equal(list.items[0].name, "vpn");
    assert_string_equal(ip_address_format(&list.items[0].address4, address), "172.30.0.9");
    assert_string_equal(ip_address_format(&list.items[0].address6, address), "fd30::9");
    assert_string_equal(list.items[1].id, ID_D);
    assert_string_equal(list.items[1].name, "");
    assert_int_equal(list.items[1].address4.family, IP_FAMILY_NONE);
}

/* What is odd about one address is not made good by the other. */
static void one_odd_address_of_who_is_attached_is_enough(void **state)
{
    static const char *const odd[] = {
        "\"IPv4Address\":\"x\",\"IPv6Address\":\"fd30::9/64\"",
        "\"IPv4Address\":\"172.30.0.9/24\",\"IPv6Address\":\"x\"",
        "\"IPv6Address\":\"x\",\"IPv4Address\":\"172.30.0.9/24\"",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
        struct attached_list list = {0};
        struct docker_network network;
        char text[512];

        (void)snprintf(
            text, sizeof(text),
            "{\"Name\":\"transit\",\"Id\":\"" ID_N "\",\"Internal\":false,\"Containers\":{\"" ID_A "\":{%s}}}", odd[i]);
        assert_int_equal(docker_parser_new_network(&network, keep_attached, &list, &parser), 0);
        assert_int_equal(docker_feed(parser, text), 0);
        assert_int_equal(list.count, 0);
        assert_false(network.is_internal);
    }
}

static void a_bridge_may_keep_its_containers_apart(void **state)
{
    static const struct {
        const char *option;
        bool is_without;
    } cases[] = {
        {"\"false\"", true}, {"\"FALSE\"", true}, {"\"f\"", true},  {"\"0\"", true},        {"\"true\"", false},
        {"\"1\"", false},    {"\"\"", false},     {"false", false}, {"\"falsely\"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
        struct docker_network network;
        char text[512];

        (void)snprintf(text, sizeof(text),
                       "{\"Name\":\"quiet\",\"Id\":\"" ID_N "\",\"Options\":{\"com.docker.network.bridge.name\":\"q0\","
                       "\"com.docker.network.bridge.enable_icc\":%s}}",
                       cases[i].option);
        assert_int_equal(docker_parser_new_network(&network, NULL, NULL, &parser), 0);
        assert_int_equal(docker_feed(parser, text), 0);
        assert_int_equal(network.is_without_icc, cases[i].is_without);
        assert_string_equal(network.bridge, "q0");
    }
}

#define SUBNET "{\"Subnet\":\"10.0.0.0/24\"}"

static void a_network_that_makes_no_sense_is_refused(void **state)
{
    static const char *const nameless[] = {"{\"Name\":\"transit\"}", "{\"Id\":\"" ID_N "\"}", "{}", "[]"};
    struct docker_network network;

    (void)state;
    assert_int_equal(parse_network(SUBNET "," SUBNET "," SUBNET "," SUBNET, &network), 0);
    assert_int_equal(network.subnet_count, SUBNETS_MAX);
    assert_int_equal(parse_network(SUBNET "," SUBNET "," SUBNET "," SUBNET "," SUBNET, &network), -EBADMSG);
    assert_int_equal(parse_network("{\"Gateway\":\"10.0.0.1\"}", &network), -EBADMSG);
    assert_int_equal(parse_network("{\"Subnet\":\"10.0.0.0\"}", &network), -EBADMSG);
    assert_int_equal(parse_network("{\"Subnet\":\"10.0.0.0/24\",\"Gateway\":\"fd00::1\"}", &network), -EBADMSG);
    assert_int_equal(parse_network("{\"Subnet\":\"10.0.0.0/24\",\"Gateway\":\"x\"}", &network), -EBADMSG);
    assert_int_equal(parse_network("", &network), 0); /* `none` and `host` have no subnet */
    for (size_t i = 0; i < ARRAY_LENGTH(nameless); i++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

        assert_int_equal(docker_parser_new_network(&network, NULL, NULL, &parser), 0);
        assert_int_equal(docker_feed(parser, nameless[i]), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_has_subnets_and_gateways),
        cmocka_unit_test(a_network_names_who_is_attached),
        cmocka_unit_test(a_bridge_may_keep_its_containers_apart),
        cmocka_unit_test(one_odd_address_of_who_is_attached_is_enough),
        cmocka_unit_test(a_network_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
