/*
 * Unit tests of what the list of containers says of published ports and of network modes that have no network of their
 * own (HOST-3): as engines tell it, and as a hostile one might.
 */
#include "tests/unit/docker_feed.h"
#include "workers/docker/records.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct docker_label_names label_names = {.names = {"anchord.expose"}, .count = 1, .with_ports = true};
static const struct docker_label_names without_ports = {.names = {"anchord.expose"}, .count = 1};

static struct {
    size_t container_count;
    struct docker_container container; /* the last; its ports are in `ports` */
    struct docker_port ports[8];
    char odd[128];
} seen;

static void on_container(void *userdata, const struct docker_container *container)
{
    (void)userdata;
    seen.container_count++;
    seen.container = *container;
    for (size_t i = 0; i < container->port_count && i < ARRAY_LENGTH(seen.ports); i++)
        seen.ports[i] = container->ports[i];
}

static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    (void)name;
    (void)snprintf(seen.odd, sizeof(seen.odd), "%.4s: %s", id, reason);
}

static void parse(const struct docker_label_names *names, const char *text)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    memset(&seen, 0, sizeof(seen));
    assert_int_equal(docker_parser_new_containers(names, on_container, on_odd, NULL, &parser), 0);
    assert_int_equal(docker_feed(parser, text), 0);
}

#define WITH_PORTS(ports_) "[{\"Id\":\"" ID_A "\",\"Ports\":" ports_ "}]"

static void assert_port(size_t place, const char *text, uint8_t protocol, unsigned int public_port,
                        unsigned int private_port)
{
    const struct docker_port *port = &seen.ports[place];
    char address[IP_ADDRESS_TEXT_SIZE];

    assert_string_equal(ip_address_format(&port->address, address), text);
    assert_int_equal(port->protocol, protocol);
    assert_int_equal(port->public_port, public_port);
    assert_int_equal(port->private_port, private_port);
}

/* Recorded from Engine 28.5.2, and what Podman leaves out. */
static void published_ports_are_read(void **state)
{
    (void)state;
    parse(&label_names, WITH_PORTS("[{\"PrivatePort\":9000,\"Type\":\"tcp\"},"
                                   "{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"},"
                                   "{\"IP\":\"::\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"},"
                                   "{\"IP\":\"127.0.0.1\",\"PrivatePort\":53,\"PublicPort\":5353,\"Type\":\"udp\"},"
                                   "{\"IP\":\"\",\"PrivatePort\":1,\"PublicPort\":65535,\"Type\":\"sctp\"},"
                                   "{\"PrivatePort\":2,\"PublicPort\":3,\"Type\":\"tcp\"}]"));
    assert_int_equal(seen.container_count, 1);
    assert_int_equal(seen.container.port_count, 5);
    assert_port(0, "0.0.0.0", IPPROTO_TCP, 8080, 80);
    assert_port(1, "::", IPPROTO_TCP, 8080, 80);
    assert_port(2, "127.0.0.1", IPPROTO_UDP, 5353, 53);
    assert_port(3, "-", 0, 65535, 1);
    assert_port(4, "-", IPPROTO_TCP, 3, 2);
}

static void nobody_who_does_not_ask_gets_ports(void **state)
{
    (void)state;
    parse(&without_ports,
          WITH_PORTS("[{\"IP\":\"nonsense\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}]"));
    assert_int_equal(seen.container_count, 1);
    assert_int_equal(seen.container.port_count, 0);
    assert_string_equal(seen.odd, "");
}

/* The ports of one are not those of the next. */
static void each_container_has_its_own(void **state)
{
    (void)state;
    parse(&label_names, "[{\"Id\":\"bb\",\"Ports\":[{\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}]},"
                        "{\"Id\":\"cc\",\"Ports\":[{\"PrivatePort\":81,\"PublicPort\":8081,\"Type\":\"tcp\"}]},"
                        "{\"Id\":\"dd\",\"Ports\":null},{\"Id\":\"ee\",\"Ports\":[]},{\"Id\":\"ff\"}]");
    assert_int_equal(seen.container_count, 5);
    assert_int_equal(seen.container.port_count, 0);
    assert_port(0, "-", IPPROTO_TCP, 8081, 81);
}

static void odd_ports_make_the_container_odd_and_no_other(void **state)
{
    static const struct {
        const char *ports;
        const char *reason; /* NULL: it is passed over */
    } cases[] = {
        {"[{\"IP\":\"1.2.3\",\"PrivatePort\":1,\"PublicPort\":1,\"Type\":\"tcp\"}]", "an IP in Ports is no address"},
        {"[{\"IP\":7,\"PrivatePort\":1,\"PublicPort\":1,\"Type\":\"tcp\"}]", "an IP in Ports is no address"},
        {"[{\"PrivatePort\":65536,\"PublicPort\":1,\"Type\":\"tcp\"}]", "a port in Ports is no port"},
        {"[{\"PrivatePort\":-1,\"PublicPort\":1,\"Type\":\"tcp\"}]", "a port in Ports is no port"},
        {"[{\"PrivatePort\":1,\"PublicPort\":1.5,\"Type\":\"tcp\"}]", "a port in Ports is no port"},
        {"[{\"PrivatePort\":1,\"PublicPort\":\"1\",\"Type\":\"tcp\"}]", "a port in Ports is no port"},
        {"[{\"PrivatePort\":0,\"PublicPort\":1,\"Type\":\"tcp\"}]", NULL},
        {"[{\"PrivatePort\":1,\"PublicPort\":null,\"Type\":\"tcp\"}]", NULL},
        {"[7,\"x\",null,[],[[]],{}]", NULL},
        {"{\"a\":{\"PrivatePort\":1,\"PublicPort\":1}}", NULL},
        {"\"x\"", NULL},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char wanted[128] = "";

        (void)snprintf(text, sizeof(text), "[{\"Id\":\"" ID_A "\",\"Ports\":%s},{\"Id\":\"bb\"}]", cases[i].ports);
        parse(&label_names, text);
        if (cases[i].reason)
            (void)snprintf(wanted, sizeof(wanted), "aaaa: %s", cases[i].reason);
        assert_string_equal(seen.odd, wanted);
        assert_int_equal(seen.container_count, cases[i].reason ? 1 : 2);
        assert_int_equal(seen.container.port_count, 0);
    }
}

static void a_type_that_is_no_text_is_another_protocol(void **state)
{
    (void)state;
    parse(&label_names, WITH_PORTS("[{\"PrivatePort\":1,\"PublicPort\":1,\"Type\":[\"tcp\"]}]"));
    assert_int_equal(seen.container.port_count, 1);
    assert_port(0, "-", 0, 1, 1);
}

static void so_many_ports_and_no_more(void **state)
{
    static const char port[] = "{\"PrivatePort\":1,\"PublicPort\":2,\"Type\":\"tcp\"},";
    static const char last[] = "{}]}]";
    static const char head[] = "[{\"Id\":\"" ID_A "\",\"Ports\":[";
    size_t length = strlen(port);

    (void)state;
    for (size_t count = DOCKER_PORTS_MAX; count <= DOCKER_PORTS_MAX + 1; count++) {
        CLEANUP_FREE char *text = malloc(strlen(head) + count * length + sizeof(last));
        char *end = stpcpy(text, head);

        for (size_t i = 0; i < count; i++)
            end = mempcpy(end, port, length);
        memcpy(end, last, sizeof(last));
        parse(&label_names, text);
        assert_int_equal(seen.container_count, count == DOCKER_PORTS_MAX);
        assert_string_equal(seen.odd, count == DOCKER_PORTS_MAX ? "" : "aaaa: publishes more than 65536 ports");
    }
}

static void modes_without_a_network_of_their_own_are_told_apart(void **state)
{
    static const struct {
        const char *mode;
        bool is_in_host, is_without;
    } cases[] = {{"host", true, false}, {"none", false, true}, {"hosts", false, false}, {"hos", false, false}};
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void)snprintf(text, sizeof(text), "[{\"Id\":\"" ID_A "\",\"HostConfig\":{\"NetworkMode\":\"%s\"}}]",
                       cases[i].mode);
        parse(&label_names, text);
        assert_int_equal(seen.container.is_in_host_network, cases[i].is_in_host);
        assert_int_equal(seen.container.is_without_network, cases[i].is_without);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_ports_are_read),
        cmocka_unit_test(nobody_who_does_not_ask_gets_ports),
        cmocka_unit_test(each_container_has_its_own),
        cmocka_unit_test(odd_ports_make_the_container_odd_and_no_other),
        cmocka_unit_test(a_type_that_is_no_text_is_another_protocol),
        cmocka_unit_test(so_many_ports_and_no_more),
        cmocka_unit_test(modes_without_a_network_of_their_own_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
