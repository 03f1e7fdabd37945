/* Unit tests of netadmin's policy for leases (ADDR-2, ADDR-11): every field is a stranger's. */
#include "workers/netadmin/plan/lease_policy.h"

#include "common/cleanup.h"

#include "common/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define EXTERNAL_INDEX 2
#define TEXTS_MAX      8

/* What was left out of the lease under test, as "object: reason", in order. */
struct refusals {
    size_t count;
    char texts[TEXTS_MAX][256];
};

struct fixture {
    struct wire_network shared;
    struct network_link links[2];
    struct link_table table;
    struct refusals refusals;
    struct lease_policy policy;
    struct wire_lease wire;
    struct lease lease;
    char reason[REASON_SIZE];
};

static struct ip_address parsed(const char *text)
{
    struct ip_address address = {.family = IP_FAMILY_NONE};

    if (text)
        assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct wire_address wire(const char *text)
{
    struct ip_address address = parsed(text);

    return wire_address_from(&address);
}

static void on_refused(const char *object, const char *reason, void *userdata)
{
    struct refusals *refusals = userdata;

    assert_true(refusals->count < TEXTS_MAX);
    (void)snprintf(refusals->texts[refusals->count++], sizeof(refusals->texts[0]), "%s: %s", object, reason);
}

static void add_subnet(struct wire_network *network, const char *address, uint8_t prefix_length)
{
    network->subnets[network->subnet_count++] =
        (struct wire_subnet){.address = wire(address), .prefix_length = prefix_length};
}

static void add_address(struct network_link *link, const char *address)
{
    link->addresses[link->address_count++].address = parsed(address);
}

/* An anchor with 10.99.0.50 outside, 172.30.0.3 and fd30::3 on the shared network, and a lease of one day. */
static void set_up(struct fixture *fixture, const char *lease, uint8_t prefix_length)
{
    memset(fixture, 0, sizeof(*fixture));
    add_subnet(&fixture->shared, "172.30.0.0", 24);
    add_subnet(&fixture->shared, "fd30::", 64);
    fixture->links[0].index = EXTERNAL_INDEX;
    fixture->links[0].mtu = 1500;
    fixture->links[1].index = EXTERNAL_INDEX + 1;
    add_address(&fixture->links[0], "10.99.0.50");
    add_address(&fixture->links[1], "172.30.0.3");
    add_address(&fixture->links[1], "10.99.0.200");
    fixture->table = (struct link_table){.links = fixture->links, .count = 2};
    fixture->policy = (struct lease_policy){
        .shared = &fixture->shared,
        .links = &fixture->table,
        .external_index = EXTERNAL_INDEX,
        .on_refused = on_refused,
        .userdata = &fixture->refusals,
    };
    fixture->wire = (struct wire_lease){
        .address = wire(lease),
        .prefix_length = prefix_length,
        .valid_seconds = 86400,
        .preferred_seconds = 86400,
    };
}

static void add_router(struct fixture *fixture, const char *router)
{
    fixture->wire.routers[fixture->wire.router_count++] = wire(router);
}

/* A gateway of 0.0.0.0: on link. */
static void add_route(struct fixture *fixture, const char *destination, uint8_t prefix_length, const char *gateway)
{
    fixture->wire.ignores_routers = 1;
    fixture->wire.routes[fixture->wire.route_count++] = (struct wire_route){
        .destination = wire(destination),
        .gateway = wire(gateway),
        .prefix_length = prefix_length,
    };
}

static int check(struct fixture *fixture)
{
    return lease_policy_check(&fixture->policy, fixture->wire.address.family, &fixture->wire, &fixture->lease,
                              fixture->reason);
}

static void expect_gateway(struct fixture *fixture, const char *gateway)
{
    char text[IP_ADDRESS_TEXT_SIZE];

    assert_int_equal(check(fixture), 0);
    assert_string_equal(ip_address_format(&fixture->lease.gateway, text), gateway);
}

static void expect_refusals(const struct fixture *fixture, const char *const *texts)
{
    for (size_t i = 0; i < fixture->refusals.count && texts[i]; i++)
        assert_string_equal(fixture->refusals.texts[i], texts[i]);
    assert_null(texts[fixture->refusals.count]);
}

#define EXPECT_REFUSALS(fixture, ...) expect_refusals((fixture), (const char *const[]){__VA_ARGS__, NULL})

static void expect_whole_refusal(const char *address, uint8_t prefix_length, const char *reason)
{
    struct fixture fixture;

    set_up(&fixture, address, prefix_length);
    assert_int_equal(check(&fixture), -EPERM);
    assert_string_equal(fixture.reason, reason);
}

static void an_ordinary_lease_is_taken(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    add_router(&fixture, "10.99.0.1");
    expect_gateway(&fixture, "10.99.0.1");
    assert_int_equal(fixture.refusals.count, 0);
    set_up(&fixture, "10.99.0.50", 24); /* the bootstrap address itself */
    assert_int_equal(check(&fixture), 0);
    set_up(&fixture, "10.99.0.254", 31); /* RFC 3021: both are hosts */
    assert_int_equal(check(&fixture), 0);
    set_up(&fixture, "10.99.0.0", 8);
    assert_int_equal(check(&fixture), 0);
}

static void an_address_that_no_host_can_have_is_refused(void **state)
{
    (void)state;
    expect_whole_refusal("0.0.0.0", 24, "no host's address");
    expect_whole_refusal("0.1.2.3", 24, "no host's address");
    expect_whole_refusal("127.0.0.1", 8, "no host's address");
    expect_whole_refusal("169.254.3.4", 16, "no host's address");
    expect_whole_refusal("224.0.0.1", 24, "no host's address");
    expect_whole_refusal("240.0.0.1", 24, "no host's address");
    expect_whole_refusal("255.255.255.255", 32, "no host's address");
    expect_whole_refusal("10.99.0.0", 24, "the subnet's network or broadcast address");
    expect_whole_refusal("10.99.0.255", 24, "the subnet's network or broadcast address");
    expect_whole_refusal("10.99.0.77", 0, "address or prefix of another family");
    expect_whole_refusal("10.99.0.77", 33, "address or prefix of another family");
    expect_whole_refusal("10.99.0.77", 7, "the prefix is too short");
}

static void an_inner_address_is_refused(void **state)
{
    (void)state;
    expect_whole_refusal("172.30.0.77", 24, "in a subnet of transit");
    expect_whole_refusal("172.30.0.77", 16, "in a subnet of transit");
    expect_whole_refusal("172.30.0.3", 32, "in a subnet of transit");
    expect_whole_refusal("10.99.0.200", 24, "the address of another interface");
    expect_whole_refusal("fd30::77", 128, "in a subnet of transit");
}

static void lifetimes_must_make_sense(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    fixture.wire.valid_seconds = 0;
    fixture.wire.preferred_seconds = 0;
    assert_int_equal(check(&fixture), -EPERM);
    assert_string_equal(fixture.reason, "lifetimes make no sense");
    fixture.wire.valid_seconds = 10;
    fixture.wire.preferred_seconds = 11;
    assert_int_equal(check(&fixture), -EPERM);
    fixture.wire.valid_seconds = LEASE_SECONDS_FOREVER;
    fixture.wire.preferred_seconds = LEASE_SECONDS_FOREVER;
    assert_int_equal(check(&fixture), 0);
}

static void dhcp6_gives_single_global_or_unique_local_addresses(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "2001:db8:99::d6", 128);
    assert_int_equal(check(&fixture), 0);
    set_up(&fixture, "fd99::d6", 128);
    assert_int_equal(check(&fixture), 0);
    add_router(&fixture, "fd99::1");
    assert_int_equal(check(&fixture), -EPERM);
    assert_string_equal(fixture.reason, "DHCPv6 has no routes");
    expect_whole_refusal("2001:db8:99::d6", 64, "a DHCPv6 address is a /128");
    expect_whole_refusal("fe80::1", 128, "no host's address");
    expect_whole_refusal("ff02::1", 128, "no host's address");
    expect_whole_refusal("::1", 128, "no host's address");
    expect_whole_refusal("::", 128, "no host's address");
    expect_whole_refusal("::ffff:10.99.0.77", 128, "neither a global nor a unique local address");
    expect_whole_refusal("fec0::1", 128, "neither a global nor a unique local address");
}

static void add_further(struct fixture *fixture, const char *address, uint32_t valid, uint32_t preferred)
{
    fixture->wire.further[fixture->wire.further_count++] =
        (struct wire_leased_address){wire(address), valid, preferred};
}

/* ADDR-2, WALL-2: each address of an IA_NA is worth its own; what is refused of it costs the others nothing. */
static void further_addresses_are_judged_each_for_itself(void **state)
{
    struct fixture fixture;
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    set_up(&fixture, "2001:db8::77", 128);
    add_further(&fixture, "fd99::77", 600, 300);
    add_further(&fixture, "fd30::77", 600, 300);
    add_further(&fixture, "2001:db8::78", 100, 0);
    assert_int_equal(check(&fixture), 0);
    assert_int_equal(fixture.lease.further_count, 2);
    assert_string_equal(ip_address_format(&fixture.lease.further[0].address, text), "fd99::77");
    assert_int_equal(fixture.lease.further[0].valid_seconds, 600);
    assert_int_equal(fixture.lease.further[0].preferred_seconds, 300);
    assert_string_equal(ip_address_format(&fixture.lease.further[1].address, text), "2001:db8::78");
    EXPECT_REFUSALS(&fixture, "fd30::77: in a subnet of transit");
}

static void further_addresses_that_make_no_sense_are_left_out(void **state)
{
    static const struct {
        const char *address;
        uint32_t valid, preferred;
        const char *refusal;
    } cases[] = {
        {"fe80::1", 60, 60, "fe80::1: no host's address"},
        {"ff02::1", 60, 60, "ff02::1: no host's address"},
        {"fec0::1", 60, 60, "fec0::1: neither a global nor a unique local address"},
        {"10.99.0.77", 60, 60, "10.99.0.77: neither a global nor a unique local address"},
        {"2001:db8::77", 60, 60, "2001:db8::77: named twice"},
        {"2001:db8::78", 0, 0, "2001:db8::78: lifetimes make no sense"},
        {"2001:db8::78", 60, 61, "2001:db8::78: lifetimes make no sense"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct fixture fixture;

        set_up(&fixture, "2001:db8::77", 128);
        add_further(&fixture, cases[i].address, cases[i].valid, cases[i].preferred);
        assert_int_equal(check(&fixture), 0);
        assert_int_equal(fixture.lease.further_count, 0);
        EXPECT_REFUSALS(&fixture, cases[i].refusal);
    }
}

static void a_lease_of_the_wrong_family_is_refused(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    assert_int_equal(lease_policy_check(&fixture.policy, IP_FAMILY_6, &fixture.wire, &fixture.lease, fixture.reason),
                     -EPERM);
}

static void the_first_usable_router_is_taken(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    add_router(&fixture, "10.98.0.1");
    add_router(&fixture, "10.99.0.77");
    add_router(&fixture, "10.99.0.1");
    add_router(&fixture, "10.99.0.2");
    expect_gateway(&fixture, "10.99.0.1");
    EXPECT_REFUSALS(&fixture, "10.98.0.1: not on link", "10.99.0.77: our own address");
}

static void a_senseless_router_is_left_out_and_the_address_taken(void **state)
{
    static const char *const routers[][2] = {
        {"0.0.0.0", "0.0.0.0: no host's address"},
        {"255.255.255.255", "255.255.255.255: no host's address"},
        {"127.0.0.1", "127.0.0.1: no host's address"},
        {"10.99.0.255", "10.99.0.255: the subnet's network or broadcast address"},
        {"10.99.0.0", "10.99.0.0: the subnet's network or broadcast address"},
        {"10.99.0.200", "10.99.0.200: our own address"},
        {"172.30.0.3", "172.30.0.3: our own address"},
        {"172.30.0.1", "172.30.0.1: in a subnet of transit"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(routers) / sizeof(routers[0]); i++) {
        struct fixture fixture;

        set_up(&fixture, "10.99.0.77", 24);
        add_router(&fixture, routers[i][0]);
        expect_gateway(&fixture, "-");
        EXPECT_REFUSALS(&fixture, routers[i][1]);
    }
}

/* NAT-12: option 26 from what every host takes to what the link does. */
static void an_mtu_is_taken_up_to_the_links(void **state)
{
    static const struct {
        uint16_t mtu, taken;
        const char *refusal;
    } cases[] = {
        {0, 0, NULL},
        {575, 0, "MTU 575: below 576, which every host takes"},
        {576, 576, NULL},
        {1500, 1500, NULL},
        {1501, 0, "MTU 1501: beyond the interface's"},
        {65535, 0, "MTU 65535: beyond the interface's"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;

        set_up(&fixture, "10.99.0.77", 24);
        add_router(&fixture, "10.99.0.1");
        fixture.wire.mtu = cases[i].mtu;
        expect_gateway(&fixture, "10.99.0.1");
        assert_int_equal(fixture.lease.mtu, cases[i].taken);
        assert_int_equal(fixture.refusals.count, cases[i].refusal ? 1 : 0);
        EXPECT_REFUSALS(&fixture, cases[i].refusal);
    }
}

static void option_121_replaces_option_3(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    add_router(&fixture, "10.99.0.1");
    add_route(&fixture, "0.0.0.0", 0, "10.99.0.2");
    expect_gateway(&fixture, "10.99.0.2");
    set_up(&fixture, "10.99.0.77", 24);
    add_router(&fixture, "10.99.0.1");
    add_route(&fixture, "192.0.2.0", 24, "10.99.0.2");
    expect_gateway(&fixture, "-"); /* RFC 3442: no default route then */
    assert_int_equal(fixture.lease.route_count, 1);
    set_up(&fixture, "10.99.0.77", 24);
    add_router(&fixture, "10.99.0.1");
    fixture.wire.ignores_routers = 1; /* an empty one, or one that anchord-lease could not read */
    expect_gateway(&fixture, "-");
}

static void a_single_address_reaches_its_gateway_by_a_route_on_link(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "203.0.113.7", 32);
    add_route(&fixture, "0.0.0.0", 0, "10.99.0.1"); /* before the route that it needs */
    add_route(&fixture, "10.99.0.1", 32, "0.0.0.0");
    expect_gateway(&fixture, "10.99.0.1");
    assert_int_equal(fixture.lease.route_count, 1);
    assert_int_equal(fixture.lease.routes[0].gateway.family, IP_FAMILY_NONE);
    set_up(&fixture, "203.0.113.7", 32);
    add_router(&fixture, "10.99.0.1");
    expect_gateway(&fixture, "-");
    EXPECT_REFUSALS(&fixture, "10.99.0.1: not on link");
}

static void senseless_routes_are_left_out_one_by_one(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    add_route(&fixture, "192.0.2.0", 24, "10.99.0.1");
    add_route(&fixture, "192.0.2.0", 24, "10.99.0.2");
    add_route(&fixture, "198.51.100.1", 24, "10.99.0.1");
    add_route(&fixture, "198.51.100.0", 24, "10.98.0.1");
    add_route(&fixture, "172.30.0.0", 25, "10.99.0.1");
    add_route(&fixture, "172.16.0.0", 12, "10.99.0.1");
    add_route(&fixture, "127.0.0.0", 8, "10.99.0.1");
    add_route(&fixture, "128.0.0.0", 1, "10.99.0.1");
    assert_int_equal(check(&fixture), 0);
    assert_int_equal(fixture.lease.route_count, 2); /* 172.16.0.0/12 contains the shared network, no more */
    EXPECT_REFUSALS(&fixture, "192.0.2.0/24 via 10.99.0.2: named twice",
                    "198.51.100.1/24 via 10.99.0.1: host bits are set", "198.51.100.0/24 via 10.98.0.1: not on link",
                    "172.30.0.0/25 via 10.99.0.1: in a subnet of transit",
                    "127.0.0.0/8 via 10.99.0.1: covers loopback or multicast addresses",
                    "128.0.0.0/1 via 10.99.0.1: covers loopback or multicast addresses");
}

static void there_is_one_default_route_and_it_has_a_gateway(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    add_route(&fixture, "0.0.0.0", 0, "0.0.0.0");
    add_route(&fixture, "0.0.0.0", 0, "10.99.0.1");
    add_route(&fixture, "0.0.0.0", 0, "10.99.0.2");
    expect_gateway(&fixture, "10.99.0.1");
    EXPECT_REFUSALS(&fixture, "0.0.0.0/0 via -: a default route needs a gateway",
                    "0.0.0.0/0 via 10.99.0.2: a second default route");
}

static void all_routes_that_fit_are_taken(void **state)
{
    struct fixture fixture;
    struct ip_address first = parsed("192.0.0.0");

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    for (uint8_t i = 0; i < LEASE_ROUTES_MAX; i++) {
        char text[IP_ADDRESS_TEXT_SIZE];

        first.bytes[2] = i;
        add_route(&fixture, ip_address_format(&first, text), 24, "10.99.0.1");
    }
    assert_int_equal(check(&fixture), 0);
    assert_int_equal(fixture.lease.route_count, LEASE_ROUTES_MAX);
    assert_int_equal(fixture.refusals.count, 0);
}

static void leases_lead_the_same_way_or_they_do_not(void **state)
{
    const struct lease a = {
        .address = parsed("10.99.0.77"),
        .prefix_length = 24,
        .gateway = parsed("10.99.0.1"),
        .mtu = 1400,
        .route_count = 2,
        .routes = {{{parsed("192.0.2.0"), 24}, parsed("10.99.0.1")},
                   {{parsed("198.51.100.0"), 24}, parsed("10.99.0.2")}},
    };
    struct lease b = a;

    (void)state;
    b.address = parsed("10.99.0.78"); /* is none of it */
    b.routes[2].gateway = parsed("10.99.0.9");
    assert_true(lease_routes_equal(&a, &b));
    b.gateway = parsed("10.99.0.2");
    assert_false(lease_routes_equal(&a, &b));
    b = a;
    b.mtu = 0;
    assert_false(lease_routes_equal(&a, &b));
    b = a;
    b.route_count = 1;
    assert_false(lease_routes_equal(&a, &b));
    b = a;
    b.routes[1].destination.prefix_length = 25;
    assert_false(lease_routes_equal(&a, &b));
    b = a;
    b.routes[1].destination.address = parsed("203.0.113.0");
    assert_false(lease_routes_equal(&a, &b));
    b = a;
    b.routes[1].gateway = parsed("10.99.0.1");
    assert_false(lease_routes_equal(&a, &b));
}

static void only_what_a_lease_has_on_link_is_reached_by_it(void **state)
{
    struct lease lease = {
        .address = parsed("10.99.0.77"),
        .prefix_length = 32,
        .route_count = 1,
        .routes = {{{parsed("192.0.2.0"), 24}, parsed("10.99.0.1")}, {.destination = {parsed("198.51.100.0"), 24}}},
    };
    const struct ip_address behind_a_gateway = parsed("192.0.2.1");
    const struct ip_address on_link = parsed("198.51.100.1");

    (void)state;
    assert_false(lease_has_on_link(&lease, &behind_a_gateway));
    assert_false(lease_has_on_link(&lease, &on_link)); /* behind the last one stands what was there once */
    lease.route_count = 2;
    assert_true(lease_has_on_link(&lease, &on_link));
    assert_false(lease_has_on_link(&lease, &behind_a_gateway));
}

static void a_route_to_a_whole_inner_subnet_is_refused(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    add_route(&fixture, "172.30.0.0", 24, "10.99.0.1");
    assert_int_equal(check(&fixture), 0);
    assert_int_equal(fixture.lease.route_count, 0);
    EXPECT_REFUSALS(&fixture, "172.30.0.0/24 via 10.99.0.1: in a subnet of transit");
}

/* Behind a link's last address, the network's last subnet and the last router stands what was there once. */
static void what_is_behind_the_last_entry_does_not_count(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.98.0.77", 24);
    add_subnet(&fixture.shared, "10.98.0.0", 24);
    fixture.shared.subnet_count--;
    add_address(&fixture.links[1], "10.98.0.1");
    fixture.links[1].address_count--;
    add_router(&fixture, "10.98.0.1");
    expect_gateway(&fixture, "10.98.0.1");
    fixture.wire.router_count = 0;
    expect_gateway(&fixture, "-");
}

/* The external link may stand anywhere in the kernel's order, and behind the last one stands what was there once. */
static void the_mtu_of_the_external_link_counts_wherever_it_stands(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.77", 24);
    fixture.wire.mtu = 1400;
    fixture.policy.external_index = EXTERNAL_INDEX + 1; /* the last one */
    fixture.links[1].address_count = 0;
    fixture.links[1].mtu = 1300;
    assert_int_equal(check(&fixture), 0);
    assert_int_equal(fixture.lease.mtu, 0);
    EXPECT_REFUSALS(&fixture, "MTU 1400: beyond the interface's");
    fixture.table.count = 1; /* it is gone */
    assert_int_equal(check(&fixture), 0);
    assert_int_equal(fixture.lease.mtu, 1400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_lease_is_taken),
        cmocka_unit_test(an_address_that_no_host_can_have_is_refused),
        cmocka_unit_test(an_inner_address_is_refused),
        cmocka_unit_test(lifetimes_must_make_sense),
        cmocka_unit_test(dhcp6_gives_single_global_or_unique_local_addresses),
        cmocka_unit_test(further_addresses_are_judged_each_for_itself),
        cmocka_unit_test(further_addresses_that_make_no_sense_are_left_out),
        cmocka_unit_test(a_lease_of_the_wrong_family_is_refused),
        cmocka_unit_test(the_first_usable_router_is_taken),
        cmocka_unit_test(a_senseless_router_is_left_out_and_the_address_taken),
        cmocka_unit_test(an_mtu_is_taken_up_to_the_links),
        cmocka_unit_test(option_121_replaces_option_3),
        cmocka_unit_test(a_single_address_reaches_its_gateway_by_a_route_on_link),
        cmocka_unit_test(senseless_routes_are_left_out_one_by_one),
        cmocka_unit_test(there_is_one_default_route_and_it_has_a_gateway),
        cmocka_unit_test(all_routes_that_fit_are_taken),
        cmocka_unit_test(leases_lead_the_same_way_or_they_do_not),
        cmocka_unit_test(only_what_a_lease_has_on_link_is_reached_by_it),
        cmocka_unit_test(a_route_to_a_whole_inner_subnet_is_refused),
        cmocka_unit_test(what_is_behind_the_last_entry_does_not_count),
        cmocka_unit_test(the_mtu_of_the_external_link_counts_wherever_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
