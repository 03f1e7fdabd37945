/* Unit tests of netadmin's choice of the external gateway (ADDR-11). */
#include "workers/netadmin/plan/gateway_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* linux/icmpv6.h; RFC 4191 §2.1 */
enum { MEDIUM = 0, HIGH = 1, RESERVED = 2, LOW = 3 };

static struct ip_address parsed(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct network_link link_with(const char *const *subnets)
{
    struct network_link link = {.index = 2, .is_up = 1};

    for (; *subnets; subnets++) {
        struct ip_subnet subnet;

        assert_int_equal(ip_subnet_parse(*subnets, &subnet), 0);
        link.addresses[link.address_count++] =
            (struct link_address){.address = subnet.address, .prefix_length = subnet.prefix_length};
    }
    return link;
}

static struct wire_network network_with_gateways(const char *const *gateways)
{
    struct wire_network network = {.subnet_count = 0};

    for (; *gateways; gateways++) {
        struct ip_address gateway = parsed(*gateways);

        network.subnets[network.subnet_count++].gateway = wire_address_from(&gateway);
    }
    return network;
}

static const char *const own_addresses[] = {"10.99.0.5/24", "fd99::5/64", "fe80::5/64", NULL};
static const char *const no_gateways[] = {NULL};

static void expect(const struct gateway_inputs *inputs, enum gateway_source source, const char *gateway)
{
    struct gateway_choice choice = gateway_choose(inputs);
    char text[IP_ADDRESS_TEXT_SIZE];

    assert_int_equal(choice.source, source);
    assert_int_equal(choice.count, gateway ? 1 : 0);
    if (gateway)
        assert_string_equal(ip_address_format(&choice.gateways[0].address, text), gateway);
}

static void a_pin_wins_and_nothing_replaces_it(void **state)
{
    static const char *const ipam[] = {"10.99.0.1", "fd99::1", NULL};
    struct network_link link = link_with(own_addresses);
    struct wire_network network = network_with_gateways(ipam);
    struct gateway router = {.address = parsed("fe80::1"), .expires_in = 1800};
    struct gateway_inputs inputs = {.external = &network, .link = &link, .routers = &router, .router_count = 1};

    (void)state;
    inputs.family = IP_FAMILY_4;
    inputs.pin = parsed("10.99.0.254");
    expect(&inputs, GATEWAY_SOURCE_PIN, "10.99.0.254");
    inputs.pin = parsed("192.0.2.1");
    expect(&inputs, GATEWAY_SOURCE_PIN, NULL);
    inputs.family = IP_FAMILY_6;
    inputs.pin = parsed("fe80::99");
    expect(&inputs, GATEWAY_SOURCE_PIN, "fe80::99");
    inputs.pin = parsed("2001:db8::1");
    expect(&inputs, GATEWAY_SOURCE_PIN, NULL);
}

static void families_are_independent(void **state)
{
    static const char *const ipam[] = {"10.99.0.1", "fd99::1", NULL};
    struct network_link link = link_with(own_addresses);
    struct wire_network network = network_with_gateways(ipam);
    struct gateway_inputs inputs = {
        .family = IP_FAMILY_6, .pin = parsed("10.99.0.254"), .external = &network, .link = &link};

    (void)state;
    expect(&inputs, GATEWAY_SOURCE_IPAM, "fd99::1");
    inputs.family = IP_FAMILY_4;
    inputs.pin = parsed("fe80::99");
    expect(&inputs, GATEWAY_SOURCE_IPAM, "10.99.0.1");
}

static void ipam_comes_before_advertisements_while_it_is_on_link(void **state)
{
    static const char *const ipam[] = {"2001:db8::1", "fd99::1", NULL};
    static const char *const foreign[] = {"2001:db8::1", NULL};
    struct network_link link = link_with(own_addresses);
    struct wire_network network = network_with_gateways(ipam);
    struct wire_network elsewhere = network_with_gateways(foreign);
    struct gateway router = {.address = parsed("fe80::1"), .preference = HIGH, .expires_in = 1800};
    struct gateway_inputs inputs = {
        .family = IP_FAMILY_6, .external = &network, .link = &link, .routers = &router, .router_count = 1};

    (void)state;
    expect(&inputs, GATEWAY_SOURCE_IPAM, "fd99::1");
    inputs.external = &elsewhere;
    expect(&inputs, GATEWAY_SOURCE_ADVERTISEMENT, "fe80::1");
    inputs.router_count = 0;
    expect(&inputs, GATEWAY_SOURCE_IPAM, NULL);
}

static void without_any_source_nothing_is_chosen(void **state)
{
    struct network_link link = link_with(own_addresses);
    struct wire_network network = network_with_gateways(no_gateways);
    struct gateway_inputs inputs = {.external = &network, .link = &link};

    (void)state;
    inputs.family = IP_FAMILY_4;
    expect(&inputs, GATEWAY_SOURCE_NONE, NULL);
    inputs.family = IP_FAMILY_6;
    expect(&inputs, GATEWAY_SOURCE_NONE, NULL);
}

static void an_own_address_is_no_gateway(void **state)
{
    static const char *const ipam[] = {"10.99.0.5", NULL};
    struct network_link link = link_with(own_addresses);
    struct wire_network network = network_with_gateways(ipam);
    struct gateway_inputs inputs = {.family = IP_FAMILY_4, .external = &network, .link = &link};

    (void)state;
    expect(&inputs, GATEWAY_SOURCE_IPAM, NULL);
    inputs.family = IP_FAMILY_6;
    inputs.pin = parsed("fe80::5");
    expect(&inputs, GATEWAY_SOURCE_PIN, NULL);
}

static void advertised_routers_are_ranked_and_bounded(void **state)
{
    static const struct {
        const char *address;
        uint8_t preference;
    } routers[] = {{"fe80::9", LOW},  {"fe80::7", MEDIUM},   {"fe80::8", HIGH}, {"fe80::3", MEDIUM},
                   {"fe80::6", HIGH}, {"fe80::4", RESERVED}, {"fe80::a", LOW}};
    static const char *const order[ROUTERS_MAX] = {"fe80::6", "fe80::8", "fe80::3", "fe80::4"};
    struct network_link link = link_with(own_addresses);
    struct wire_network network = network_with_gateways(no_gateways);
    struct gateway listed[sizeof(routers) / sizeof(routers[0])] = {0};
    struct gateway_inputs inputs = {.family = IP_FAMILY_6, .external = &network, .link = &link, .routers = listed};
    struct gateway_choice choice;

    (void)state;
    for (size_t i = 0; i < sizeof(routers) / sizeof(routers[0]); i++) {
        listed[i].address = parsed(routers[i].address);
        listed[i].preference = routers[i].preference;
        listed[i].expires_in = 100 + (uint32_t)i;
    }
    inputs.router_count = sizeof(routers) / sizeof(routers[0]);
    choice = gateway_choose(&inputs);
    assert_int_equal(choice.source, GATEWAY_SOURCE_ADVERTISEMENT);
    assert_int_equal(choice.count, ROUTERS_MAX);
    for (size_t i = 0; i < ROUTERS_MAX; i++) {
        char text[IP_ADDRESS_TEXT_SIZE];

        assert_string_equal(ip_address_format(&choice.gateways[i].address, text), order[i]);
    }
    assert_int_equal(choice.gateways[0].preference, HIGH);
    assert_int_equal(choice.gateways[0].expires_in, 104);
}

/* RFC 4191 §3.2: reachability before preference. */
static void a_router_that_fell_silent_is_behind_those_that_answer(void **state)
{
    struct network_link link = link_with(own_addresses);
    struct wire_network network = network_with_gateways(no_gateways);
    struct gateway routers[] = {
        {.address = parsed("fe80::1"), .preference = HIGH, .is_silent = true},
        {.address = parsed("fe80::2"), .preference = LOW},
        {.address = parsed("fe80::3"), .is_silent = true},
        {.address = parsed("fe80::4"), .preference = LOW},
    };
    static const char *const order[] = {"fe80::2", "fe80::4", "fe80::1", "fe80::3"};
    struct gateway_inputs inputs = {
        .family = IP_FAMILY_6, .external = &network, .link = &link, .routers = routers, .router_count = 4};
    struct gateway_choice choice = gateway_choose(&inputs);

    (void)state;
    assert_int_equal(choice.count, 4);
    for (size_t i = 0; i < 4; i++) {
        char text[IP_ADDRESS_TEXT_SIZE];

        assert_string_equal(ip_address_format(&choice.gateways[i].address, text), order[i]);
    }
}

static void a_lifetime_that_runs_down_is_no_new_choice(void **state)
{
    struct gateway_choice a = {.source = GATEWAY_SOURCE_ADVERTISEMENT, .count = 1};
    struct gateway_choice b;

    (void)state;
    a.gateways[0] = (struct gateway){.address = parsed("fe80::1"), .expires_in = 1800};
    b = a;
    b.gateways[0].expires_in = 900;
    assert_true(gateway_choice_equal(&a, &b));
    b.gateways[0].preference = HIGH;
    assert_false(gateway_choice_equal(&a, &b));
    b = a;
    b.gateways[0].address = parsed("fe80::2");
    assert_false(gateway_choice_equal(&a, &b));
    b = a;
    b.source = GATEWAY_SOURCE_PIN;
    assert_false(gateway_choice_equal(&a, &b));
    b = a;
    b.count = 2;
    assert_false(gateway_choice_equal(&a, &b));
    b = a;
    b.is_beyond_subnets = true;
    assert_false(gateway_choice_equal(&a, &b));
    b = a;
    b.gateways[1].address = parsed("fe80::2"); /* behind the last one */
    assert_true(gateway_choice_equal(&a, &b));
}

/* RFC 4291 §2.8: a router's link-local address is on link whatever the subnets are; IPv4 has no such rule. */
static void a_link_local_gateway_needs_no_subnet(void **state)
{
    static const char *const global[] = {"10.99.0.5/24", "2001:db8::5/64", NULL};
    struct network_link link = link_with(global);
    struct wire_network network = network_with_gateways(no_gateways);
    struct gateway_inputs inputs = {
        .family = IP_FAMILY_6, .external = &network, .link = &link, .pin = parsed("fe80::99")};

    (void)state;
    expect(&inputs, GATEWAY_SOURCE_PIN, "fe80::99");
    inputs.family = IP_FAMILY_4;
    inputs.pin = parsed("169.254.0.1");
    expect(&inputs, GATEWAY_SOURCE_PIN, NULL);
}

/* Behind a link's last address and a network's last subnet stands what was there once. */
static void what_is_behind_the_last_entry_is_none(void **state)
{
    static const char *const ipam[] = {"10.98.0.1", NULL};
    static const char *const two[] = {"10.99.0.5/24", "10.98.0.5/24", NULL};
    struct network_link link = link_with(two);
    struct wire_network network = network_with_gateways(ipam);
    struct lease lease = {.address = parsed("10.98.0.5"), .prefix_length = 24, .gateway = parsed("10.99.0.254")};
    struct gateway_inputs inputs = {.family = IP_FAMILY_4, .external = &network, .link = &link, .lease = &lease};

    (void)state;
    expect(&inputs, GATEWAY_SOURCE_LEASE, "10.99.0.254");
    link.address_count = 1;
    expect(&inputs, GATEWAY_SOURCE_IPAM, NULL);
    link.address_count = 2;
    inputs.lease = NULL;
    expect(&inputs, GATEWAY_SOURCE_IPAM, "10.98.0.1");
    network.subnet_count = 0;
    expect(&inputs, GATEWAY_SOURCE_NONE, NULL);
}

static void a_lease_comes_before_the_pin_while_its_address_is_there(void **state)
{
    static const char *const ipam[] = {"10.99.0.1", NULL};
    static const char *const bootstrap_alone[] = {"10.99.0.50/24", NULL};
    struct network_link link = link_with(own_addresses);
    struct network_link other_link = link_with(bootstrap_alone);
    struct wire_network network = network_with_gateways(ipam);
    struct lease lease = {.address = parsed("10.99.0.5"), .prefix_length = 24, .gateway = parsed("10.99.0.254")};
    struct gateway_inputs inputs = {.family = IP_FAMILY_4,
                                    .pin = parsed("10.99.0.253"),
                                    .external = &network,
                                    .link = &link,
                                    .lease = &lease,
                                    .prefers_advertised = true};

    (void)state;
    expect(&inputs, GATEWAY_SOURCE_LEASE, "10.99.0.254");
    assert_false(gateway_choose(&inputs).is_beyond_subnets);
    inputs.link = &other_link;
    expect(&inputs, GATEWAY_SOURCE_PIN, "10.99.0.253");
    inputs.pin = (struct ip_address){.family = IP_FAMILY_NONE};
    expect(&inputs, GATEWAY_SOURCE_IPAM, "10.99.0.1");
    inputs.link = &link;
    lease.gateway = (struct ip_address){.family = IP_FAMILY_NONE};
    expect(&inputs, GATEWAY_SOURCE_IPAM, "10.99.0.1");
    lease.gateway = parsed("10.98.0.1");
    expect(&inputs, GATEWAY_SOURCE_IPAM, "10.99.0.1");
}

static void a_lease_of_one_address_leads_over_its_own_routes(void **state)
{
    static const char *const single[] = {"203.0.113.7/32", NULL};
    struct network_link link = link_with(single);
    struct wire_network network = network_with_gateways(no_gateways);
    struct lease lease = {
        .address = parsed("203.0.113.7"),
        .prefix_length = 32,
        .gateway = parsed("10.99.0.1"),
        .route_count = 1,
        .routes = {{.destination = {parsed("10.99.0.1"), 32}}},
    };
    struct gateway_inputs inputs = {.family = IP_FAMILY_4, .external = &network, .link = &link, .lease = &lease};

    (void)state;
    expect(&inputs, GATEWAY_SOURCE_LEASE, "10.99.0.1");
    assert_true(gateway_choose(&inputs).is_beyond_subnets);
}

static void advertisements_come_before_ipam_in_the_modes_that_ask(void **state)
{
    static const char *const ipam[] = {"fd99::1", NULL};
    struct network_link link = link_with(own_addresses);
    struct wire_network network = network_with_gateways(ipam);
    struct gateway router = {.address = parsed("fe80::1"), .expires_in = 1800};
    struct gateway_inputs inputs = {.family = IP_FAMILY_6,
                                    .pin = parsed("fe80::99"),
                                    .external = &network,
                                    .link = &link,
                                    .routers = &router,
                                    .router_count = 1,
                                    .prefers_advertised = true};

    (void)state;
    expect(&inputs, GATEWAY_SOURCE_PIN, "fe80::99");
    inputs.pin = (struct ip_address){.family = IP_FAMILY_NONE};
    expect(&inputs, GATEWAY_SOURCE_ADVERTISEMENT, "fe80::1");
    inputs.router_count = 0;
    expect(&inputs, GATEWAY_SOURCE_IPAM, "fd99::1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_comes_before_the_pin_while_its_address_is_there),
        cmocka_unit_test(a_lease_of_one_address_leads_over_its_own_routes),
        cmocka_unit_test(advertisements_come_before_ipam_in_the_modes_that_ask),
        cmocka_unit_test(a_pin_wins_and_nothing_replaces_it),
        cmocka_unit_test(families_are_independent),
        cmocka_unit_test(ipam_comes_before_advertisements_while_it_is_on_link),
        cmocka_unit_test(without_any_source_nothing_is_chosen),
        cmocka_unit_test(an_own_address_is_no_gateway),
        cmocka_unit_test(advertised_routers_are_ranked_and_bounded),
        cmocka_unit_test(a_router_that_fell_silent_is_behind_those_that_answer),
        cmocka_unit_test(a_lifetime_that_runs_down_is_no_new_choice),
        cmocka_unit_test(a_link_local_gateway_needs_no_subnet),
        cmocka_unit_test(what_is_behind_the_last_entry_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
