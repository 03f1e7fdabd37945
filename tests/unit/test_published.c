/*
 * Unit tests of what published ports come to: bindings joined from Docker's single ports, what is exposed of them with
 * the parent's addresses, and what is withheld (HOST-3).
 */
#include "workers/watcher/published.h"

#include "common/text.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PORTS_MAX 64

static struct docker_port ports[PORTS_MAX];
static size_t port_count;
static struct published_binding *bindings;
static int binding_count;
static struct published published;

static struct ip_address address(const char *text)
{
    struct ip_address parsed = {.family = IP_FAMILY_NONE};

    if (*text)
        assert_int_equal(ip_address_parse(text, &parsed), 0);
    return parsed;
}

static int reset(void **state)
{
    (void)state;
    port_count = 0;
    free_pointer(&bindings);
    published_release(&published);
    return 0;
}

/* On an address of the host, "" for none: port and port of the container. */
static void publish(const char *on, uint8_t protocol, unsigned int public_port, unsigned int private_port)
{
    assert_true(port_count < PORTS_MAX);
    ports[port_count++] = (struct docker_port){address(on), protocol, (uint16_t)public_port, (uint16_t)private_port};
}

static void publish_on_both(uint8_t protocol, unsigned int public_port, unsigned int private_port)
{
    publish("::", protocol, public_port, private_port);
    publish("0.0.0.0", protocol, public_port, private_port);
}

static void expose(const char *parent)
{
    struct ip_address addresses[2] = {address(parent), address("2001:db8::5")};

    binding_count = published_bindings_make(ports, port_count, &bindings);
    assert_true(binding_count >= 0);
    assert_int_equal(published_expose(bindings, (size_t)binding_count, addresses, ARRAY_LENGTH(addresses), &published),
                     0);
}

/* "tcp4 8080-8081:80" */
static void assert_range(size_t place, const char *wanted)
{
    static const char *const families[] = {"46", "6", "4"};
    const struct expose_range *range = &published.ranges[place];
    char text[64];

    assert_true(place < published.range_count);
    (void)snprintf(text, sizeof(text), "%s%s %u-%u:%u", range->protocol == IPPROTO_TCP ? "tcp" : "udp",
                   families[range->missing_families], range->port_first, range->port_last, range->backend_port_first);
    assert_string_equal(text, wanted);
}

static void assert_withheld(size_t place, enum published_fault fault, const char *on, unsigned int first,
                            unsigned int last, unsigned int backend_port)
{
    const struct published_withheld *withheld = &published.withheld[place];
    const struct ip_address wanted = address(on);

    assert_true(place < published.withheld_count);
    assert_int_equal(withheld->fault, fault);
    assert_true(ip_address_equal(&withheld->binding.address, &wanted));
    assert_int_equal(withheld->binding.port_first, first);
    assert_int_equal(withheld->binding.port_last, last);
    assert_int_equal(withheld->binding.backend_port_first, backend_port);
}

static void nothing_published_is_nothing(void **state)
{
    (void)state;
    expose("192.0.2.5");
    assert_int_equal(binding_count, 0);
    assert_null(bindings);
    assert_int_equal(published.range_count, 0);
    assert_int_equal(published.withheld_count, 0);
}

static void wildcards_are_exposed_in_the_families_in_which_they_are_published(void **state)
{
    (void)state;
    publish_on_both(IPPROTO_TCP, 8080, 80);
    publish("0.0.0.0", IPPROTO_TCP, 443, 8443);
    publish("::", IPPROTO_UDP, 443, 8443);
    publish("", IPPROTO_UDP, 53, 5353); /* an engine that names no address */
    expose("192.0.2.5");
    assert_int_equal(published.range_count, 4);
    assert_range(0, "tcp4 443-443:8443");
    assert_range(1, "tcp46 8080-8080:80");
    assert_range(2, "udp46 53-53:5353");
    assert_range(3, "udp6 443-443:8443");
    assert_int_equal(published.withheld_count, 0);
}

static void ranges_stay_ranges_in_whatever_order_docker_tells_them(void **state)
{
    static const unsigned int order[] = {3, 0, 4, 1, 2};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++)
        publish_on_both(IPPROTO_UDP, 10000 + order[i], 20000 + order[i]);
    publish_on_both(IPPROTO_UDP, 10005, 20006); /* another shift */
    publish_on_both(IPPROTO_UDP, 10007, 20008); /* a gap */
    publish_on_both(IPPROTO_TCP, 10005, 20005); /* another protocol */
    publish_on_both(IPPROTO_UDP, 65535, 65535);
    publish_on_both(IPPROTO_UDP, 10000, 20000); /* once more */
    expose("192.0.2.5");
    assert_int_equal(binding_count, 2 * 5);
    assert_int_equal(published.range_count, 5);
    assert_range(0, "tcp46 10005-10005:20005");
    assert_range(1, "udp46 10000-10004:20000");
    assert_range(2, "udp46 10005-10005:20006");
    assert_range(3, "udp46 10007-10007:20008");
    assert_range(4, "udp46 65535-65535:65535");
}

static void a_range_that_is_longer_in_one_family_is_cut(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 4; i++)
        publish("0.0.0.0", IPPROTO_TCP, 80 + i, 80 + i);
    for (unsigned int i = 1; i < 3; i++)
        publish("::", IPPROTO_TCP, 80 + i, 80 + i);
    expose("192.0.2.5");
    assert_int_equal(binding_count, 2);
    assert_int_equal(published.range_count, 3);
    assert_range(0, "tcp4 80-80:80");
    assert_range(1, "tcp46 81-82:81");
    assert_range(2, "tcp4 83-83:83");
}

static void only_wildcards_and_the_parents_addresses_are_exposed(void **state)
{
    (void)state;
    publish("192.0.2.5", IPPROTO_TCP, 80, 80);
    publish("2001:db8::5", IPPROTO_TCP, 81, 81);
    publish("127.0.0.1", IPPROTO_TCP, 82, 82);
    publish("::1", IPPROTO_TCP, 83, 83);
    publish("10.8.0.1", IPPROTO_TCP, 84, 84);
    publish("10.8.0.1", IPPROTO_TCP, 85, 85);
    publish("10.8.0.1", IPPROTO_TCP, 87, 87);
    publish("0.0.0.0", 0, 88, 88);
    expose("192.0.2.5");
    assert_int_equal(published.range_count, 2);
    assert_range(0, "tcp4 80-80:80");
    assert_range(1, "tcp6 81-81:81");
    assert_int_equal(published.withheld_count, 5);
    assert_withheld(0, PUBLISHED_BY_OTHER, "0.0.0.0", 88, 88, 88);
    assert_withheld(1, PUBLISHED_ELSEWHERE, "10.8.0.1", 84, 85, 84);
    assert_withheld(2, PUBLISHED_ELSEWHERE, "10.8.0.1", 87, 87, 87);
    assert_withheld(3, PUBLISHED_ON_LOOPBACK, "127.0.0.1", 82, 82, 82);
    assert_withheld(4, PUBLISHED_ON_LOOPBACK, "::1", 83, 83, 83);
}

/* HOST-3: followed live. */
static void another_address_of_the_parent_exposes_others(void **state)
{
    (void)state;
    publish("192.0.2.5", IPPROTO_TCP, 80, 80);
    publish("10.8.0.1", IPPROTO_TCP, 84, 84);
    expose("10.8.0.1");
    assert_int_equal(published.range_count, 1);
    assert_range(0, "tcp4 84-84:84");
    assert_int_equal(published.withheld_count, 1);
    assert_withheld(0, PUBLISHED_ELSEWHERE, "192.0.2.5", 80, 80, 80);
}

/* One address of the parent leads here, another there: in a family the first one counts. */
static void a_port_that_leads_to_two_places_leads_to_the_first(void **state)
{
    (void)state;
    publish("0.0.0.0", IPPROTO_TCP, 80, 8080);
    publish("192.0.2.5", IPPROTO_TCP, 80, 8081);
    publish("192.0.2.5", IPPROTO_TCP, 81, 8082);
    publish("0.0.0.0", IPPROTO_TCP, 81, 8081);
    publish("::", IPPROTO_TCP, 80, 8090); /* another family: another place is fine */
    publish("192.0.2.5", IPPROTO_TCP, 83, 8083);
    publish("0.0.0.0", IPPROTO_TCP, 83, 8083); /* the same place */
    expose("192.0.2.5");
    assert_int_equal(published.range_count, 3);
    assert_range(0, "tcp6 80-80:8090");
    assert_range(1, "tcp4 80-81:8080");
    assert_range(2, "tcp4 83-83:8083");
    assert_int_equal(published.withheld_count, 1);
    assert_withheld(0, PUBLISHED_TWICE, "192.0.2.5", 80, 81, 8081);
}

/* Loopback does not count, so nothing is published twice. */
static void what_is_withheld_takes_no_port(void **state)
{
    (void)state;
    publish("127.0.0.1", IPPROTO_TCP, 80, 8080);
    publish("192.0.2.5", IPPROTO_TCP, 80, 8081);
    expose("192.0.2.5");
    assert_int_equal(published.range_count, 1);
    assert_range(0, "tcp4 80-80:8081");
    assert_int_equal(published.withheld_count, 1);
}

/* The host's ports may go down to 1 and up to the last, those of the container end before. */
static void the_first_and_the_last_port_are_ports(void **state)
{
    (void)state;
    publish("0.0.0.0", IPPROTO_TCP, 1, 65535);
    publish("0.0.0.0", IPPROTO_TCP, 2, 1);
    publish("0.0.0.0", IPPROTO_TCP, 65534, 2);
    publish("0.0.0.0", IPPROTO_TCP, 65535, 3);
    expose("192.0.2.5");
    assert_int_equal(published.range_count, 3);
    assert_range(0, "tcp4 1-1:65535");
    assert_range(1, "tcp4 2-2:1");
    assert_range(2, "tcp4 65534-65535:2");
}

static void every_fault_has_words_of_its_own(void **state)
{
    static const enum published_fault faults[] = {PUBLISHED_ON_LOOPBACK, PUBLISHED_ELSEWHERE, PUBLISHED_BY_OTHER,
                                                  PUBLISHED_TWICE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(published_fault_to_string(faults[i]), published_fault_to_string(faults[j]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_published_is_nothing, reset),
        cmocka_unit_test_teardown(wildcards_are_exposed_in_the_families_in_which_they_are_published, reset),
        cmocka_unit_test_teardown(ranges_stay_ranges_in_whatever_order_docker_tells_them, reset),
        cmocka_unit_test_teardown(a_range_that_is_longer_in_one_family_is_cut, reset),
        cmocka_unit_test_teardown(only_wildcards_and_the_parents_addresses_are_exposed, reset),
        cmocka_unit_test_teardown(another_address_of_the_parent_exposes_others, reset),
        cmocka_unit_test_teardown(a_port_that_leads_to_two_places_leads_to_the_first, reset),
        cmocka_unit_test_teardown(what_is_withheld_takes_no_port, reset),
        cmocka_unit_test_teardown(the_first_and_the_last_port_are_ports, reset),
        cmocka_unit_test(every_fault_has_words_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
