/* Unit tests of what our routing tables are to hold (ADDR-11, SA-2, WALL-2): wanted, found again, and whose it is. */
#include "workers/netadmin/plan/route_plan.h"

#include <linux/icmpv6.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define EXTERNAL_INDEX 7

struct fixture {
    struct network_link external;
    struct gateway_choice choice;
    struct lease lease;
    struct route_wish wish;
    struct route_list wanted;
};

static struct ip_address address_of(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct ip_subnet subnet_of(const char *text)
{
    struct ip_subnet subnet;

    assert_int_equal(ip_subnet_parse(text, &subnet), 0);
    return subnet;
}

/* One gateway of IPAM over a link that is up. */
static struct fixture *set_up(struct fixture *fixture)
{
    *fixture = (struct fixture){
        .external = {.index = EXTERNAL_INDEX, .mtu = 1500, .is_up = 1},
        .choice = {.source = GATEWAY_SOURCE_IPAM, .count = 1},
    };
    fixture->choice.gateways[0].address = address_of("10.99.0.1");
    fixture->wish = (struct route_wish){IP_FAMILY_4, ROUTE_TABLE_NUMBER, &fixture->external, &fixture->choice, NULL};
    return fixture;
}

static void take_lease(struct fixture *fixture, uint32_t mtu)
{
    fixture->lease = (struct lease){
        .address = address_of("10.99.0.50"),
        .prefix_length = 24,
        .gateway = address_of("10.99.0.1"),
        .mtu = mtu,
        .route_count = 2,
        .routes = {{subnet_of("192.0.2.0/24"), address_of("10.99.0.9")}, {subnet_of("192.0.2.1/32"), {0}}},
    };
    fixture->choice.source = GATEWAY_SOURCE_LEASE;
    fixture->wish.lease = &fixture->lease;
}

static const struct route *only(const struct route_list *list, uint8_t type, const char *destination)
{
    struct ip_subnet subnet = subnet_of(destination);
    const struct route *found = NULL;

    for (size_t i = 0; i < list->count; i++) {
        const struct route *route = &list->routes[i];

        if (route->type != type || route->destination_length != subnet.prefix_length ||
            memcmp(route->destination.bytes, subnet.address.bytes, sizeof(subnet.address.bytes)) != 0)
            continue;
        assert_null(found);
        found = route;
    }
    assert_non_null(found);
    return found;
}

static void a_gateway_has_a_last_resort_before_it(void **state)
{
    struct fixture fixture;

    (void)state;
    route_plan_list(&set_up(&fixture)->wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.count, 2);
    assert_int_equal(fixture.wanted.family, IP_FAMILY_4);
    assert_int_equal(fixture.wanted.table, ROUTE_TABLE_NUMBER);
    assert_int_equal(fixture.wanted.routes[0].type, RTN_UNREACHABLE);
    assert_int_equal(fixture.wanted.routes[0].metric, UINT32_MAX);
    assert_int_equal(fixture.wanted.routes[1].type, RTN_UNICAST);
    assert_int_equal(fixture.wanted.routes[1].metric, 100);
    assert_int_equal(fixture.wanted.routes[1].index, EXTERNAL_INDEX);
    assert_int_equal(fixture.wanted.routes[1].protocol, ROUTE_PROTOCOL);
    assert_false(fixture.wanted.routes[1].is_on_link);
}

static void without_a_link_only_the_last_resort_is_wanted(void **state)
{
    struct fixture fixture;

    (void)state;
    take_lease(set_up(&fixture), 0);
    fixture.external.is_up = 0;
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.count, 1);
    assert_int_equal(fixture.wanted.routes[0].type, RTN_UNREACHABLE);
    fixture.wish.external = NULL;
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.count, 1);
}

static void advertised_routers_keep_order_preference_and_lifetime(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    fixture.wish.family = IP_FAMILY_6;
    fixture.choice = (struct gateway_choice){.source = GATEWAY_SOURCE_ADVERTISEMENT, .count = ROUTERS_MAX};
    for (size_t i = 0; i < ROUTERS_MAX; i++) {
        fixture.choice.gateways[i].address = address_of("fe80::1");
        fixture.choice.gateways[i].address.bytes[15] = (uint8_t)(i + 1);
    }
    fixture.choice.gateways[1].preference = ICMPV6_ROUTER_PREF_HIGH;
    fixture.choice.gateways[1].expires_in = 1800;
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.count, 1 + ROUTERS_MAX);
    for (size_t i = 0; i < ROUTERS_MAX; i++) {
        assert_int_equal(fixture.wanted.routes[1 + i].metric, 100 + i);
        assert_int_equal(fixture.wanted.routes[1 + i].gateway.bytes[15], i + 1);
    }
    assert_int_equal(fixture.wanted.routes[2].preference, ICMPV6_ROUTER_PREF_HIGH);
    assert_int_equal(fixture.wanted.routes[2].expires_in, 1800);
}

static void a_lease_brings_routes_and_mtu(void **state)
{
    struct fixture fixture;
    const struct route *route;

    (void)state;
    take_lease(set_up(&fixture), 1400);
    fixture.choice.is_beyond_subnets = true;
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.count, 4);
    route = only(&fixture.wanted, RTN_UNICAST, "192.0.2.0/24");
    assert_int_equal(route->scope, RT_SCOPE_UNIVERSE);
    assert_int_equal(route->metric, 90);
    assert_int_equal(route->mtu, 1400);
    assert_false(route->is_on_link); /* 10.99.0.9 is in the lease's subnet */
    route = only(&fixture.wanted, RTN_UNICAST, "192.0.2.1/32");
    assert_int_equal(route->scope, RT_SCOPE_LINK);
    assert_int_equal(route->gateway.family, IP_FAMILY_NONE);
    assert_false(route->is_on_link);
    route = &fixture.wanted.routes[3];
    assert_int_equal(route->metric, 90);
    assert_int_equal(route->mtu, 1400);
    assert_true(route->is_on_link);

    fixture.lease.routes[0].gateway = address_of("10.98.0.9");
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_true(only(&fixture.wanted, RTN_UNICAST, "192.0.2.0/24")->is_on_link);
}

static void an_mtu_that_the_link_has_is_none(void **state)
{
    struct fixture fixture;

    (void)state;
    take_lease(set_up(&fixture), 1500);
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.routes[0].mtu, 0);
    fixture.lease.mtu = 1499;
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.routes[0].mtu, 1499);
}

static void the_main_table_has_two_halves(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture)->wish.table = RT_TABLE_MAIN;
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.count, 4);
    (void)only(&fixture.wanted, RTN_UNREACHABLE, "0.0.0.0/1");
    (void)only(&fixture.wanted, RTN_UNICAST, "0.0.0.0/1");
    (void)only(&fixture.wanted, RTN_UNREACHABLE, "128.0.0.0/1");
    (void)only(&fixture.wanted, RTN_UNICAST, "128.0.0.0/1");
}

static void the_most_that_is_ever_wanted_has_room(void **state)
{
    struct inner_prefix prefixes[INNER_PREFIXES_MAX] = {0};
    struct link_address remembered = {.address = address_of("10.99.0.50"), .prefix_length = 24};
    struct fixture fixture;

    (void)state;
    take_lease(set_up(&fixture), 0);
    fixture.wish.table = RT_TABLE_MAIN;
    fixture.choice.count = ROUTERS_MAX;
    fixture.lease.route_count = LEASE_ROUTES_MAX;
    route_plan_list(&fixture.wish, &fixture.wanted);
    assert_int_equal(fixture.wanted.count, LEASE_ROUTES_MAX + 2 * (1 + ROUTERS_MAX));
    assert_in_range(fixture.wanted.count, 0, ROUTES_MAX);
    route_plan_list_inner(IP_FAMILY_4, prefixes, INNER_PREFIXES_MAX, &remembered, &fixture.wanted);
    assert_int_equal(fixture.wanted.count, INNER_PREFIXES_MAX + 1);
    assert_in_range(fixture.wanted.count, 0, ROUTES_MAX);
}

static void what_is_inside_leads_to_its_link_or_nowhere(void **state)
{
    struct inner_prefix prefixes[] = {
        {.subnet = subnet_of("172.30.0.0/24"), .source = address_of("172.30.0.3"), .link_index = 8, .is_up = true},
        {.subnet = subnet_of("172.31.0.0/24"), .source = address_of("172.31.0.3"), .link_index = 9},
    };
    struct inner_prefix prefix6 = {
        .subnet = subnet_of("fd30::/64"), .source = address_of("fd30::3"), .link_index = 8, .is_up = true};
    struct link_address nothing = {0};
    struct route_list wanted;

    (void)state;
    route_plan_list_inner(IP_FAMILY_4, prefixes, 2, &nothing, &wanted);
    assert_int_equal(wanted.count, 2);
    assert_int_equal(wanted.table, INNER_ROUTE_TABLE_NUMBER);
    assert_int_equal(wanted.routes[0].type, RTN_UNICAST);
    assert_int_equal(wanted.routes[0].scope, RT_SCOPE_LINK);
    assert_int_equal(wanted.routes[0].index, 8);
    assert_true(ip_address_equal(&wanted.routes[0].source, &prefixes[0].source));
    assert_int_equal(wanted.routes[1].type, RTN_UNREACHABLE);
    assert_int_equal(wanted.routes[1].scope, RT_SCOPE_UNIVERSE);
    assert_int_equal(wanted.routes[1].index, 0);
    assert_int_equal(wanted.routes[1].source.family, IP_FAMILY_NONE);
    route_plan_list_inner(IP_FAMILY_6, &prefix6, 1, &nothing, &wanted);
    assert_int_equal(wanted.routes[0].scope, RT_SCOPE_UNIVERSE);
    assert_int_equal(wanted.routes[0].source.family, IP_FAMILY_NONE);
}

static void what_is_remembered_is_found_again(void **state)
{
    struct link_address remembered = {.address = address_of("fd99::50"), .prefix_length = 64};
    struct link_address other_family = {.address = address_of("10.99.0.50"), .prefix_length = 24};
    struct link_address found = {0};
    struct route_list list;

    (void)state;
    route_plan_list_inner(IP_FAMILY_6, NULL, 0, &other_family, &list);
    assert_int_equal(list.count, 0);
    route_plan_find_remembered(&list, &found);
    assert_int_equal(found.address.family, IP_FAMILY_NONE);
    route_plan_list_inner(IP_FAMILY_6, NULL, 0, &remembered, &list);
    assert_int_equal(list.routes[0].type, RTN_THROW);
    route_plan_find_remembered(&list, &found);
    assert_true(ip_address_equal(&found.address, &remembered.address));
    assert_int_equal(found.prefix_length, 64);
    assert_int_equal(found.flags, IFA_F_NODAD);
    found = (struct link_address){0};
    list.routes[0].metric = 129; /* no prefix length of ours */
    route_plan_find_remembered(&list, &found);
    list.routes[0].metric = 0;
    route_plan_find_remembered(&list, &found);
    list.routes[0].metric = 128;
    list.routes[0].protocol = RTPROT_STATIC;
    route_plan_find_remembered(&list, &found);
    list.routes[0].protocol = ROUTE_PROTOCOL;
    list.routes[0].type = RTN_UNREACHABLE;
    route_plan_find_remembered(&list, &found);
    assert_int_equal(found.address.family, IP_FAMILY_NONE);
    list.routes[0].type = RTN_THROW;
    route_plan_find_remembered(&list, &found);
    assert_int_equal(found.prefix_length, 128);
}

static void a_lease_is_found_again_in_either_table(void **state)
{
    const uint32_t tables[] = {ROUTE_TABLE_NUMBER, RT_TABLE_MAIN};
    struct fixture fixture;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct lease found = {0};

        take_lease(set_up(&fixture), 1400);
        fixture.wish.table = tables[i];
        route_plan_list(&fixture.wish, &fixture.wanted);
        route_plan_find_lease(&fixture.wanted, &found);
        assert_true(lease_routes_equal(&found, &fixture.lease));
        assert_int_equal(found.mtu, 1400);

        found = (struct lease){0};
        for (size_t j = 0; j < fixture.wanted.count; j++)
            fixture.wanted.routes[j].metric++;
        route_plan_find_lease(&fixture.wanted, &found);
        assert_int_equal(found.route_count, 0);
        assert_int_equal(found.gateway.family, IP_FAMILY_NONE);
    }
}

/* A predecessor's table may hold two leases' routes. */
static void of_too_many_leased_routes_the_first_are_taken(void **state)
{
    struct lease found = {0};
    struct fixture fixture;

    (void)state;
    take_lease(set_up(&fixture), 0);
    fixture.lease.route_count = LEASE_ROUTES_MAX;
    for (uint8_t i = 0; i < LEASE_ROUTES_MAX; i++)
        fixture.lease.routes[i] = (struct lease_route){{{IP_FAMILY_4, {100, 64, i}}, 24}, address_of("10.99.0.9")};
    route_plan_list(&fixture.wish, &fixture.wanted);
    fixture.wanted.routes[fixture.wanted.count] = fixture.wanted.routes[0];
    fixture.wanted.routes[fixture.wanted.count++].destination = address_of("100.65.0.0");
    route_plan_find_lease(&fixture.wanted, &found);
    assert_int_equal(found.route_count, LEASE_ROUTES_MAX);
    assert_int_equal(found.routes[LEASE_ROUTES_MAX - 1].destination.address.bytes[1], 64);
}

/* Each field by itself makes another route, but for what the kernel makes of it. */
static void a_route_is_found_by_all_that_counts(void **state)
{
    struct fixture fixture;
    struct route_list *list = &fixture.wanted;
    struct route other;

    (void)state;
    route_plan_list(&set_up(&fixture)->wish, list);
    assert_ptr_equal(route_list_find(list, &list->routes[1]), &list->routes[1]);
#define EXPECT_ANOTHER(field, value) \
    other = list->routes[1];         \
    other.field = value;             \
    assert_null(route_list_find(list, &other))
    EXPECT_ANOTHER(type, RTN_BLACKHOLE);
    EXPECT_ANOTHER(protocol, RTPROT_STATIC);
    EXPECT_ANOTHER(metric, 101);
    EXPECT_ANOTHER(destination_length, 1);
    EXPECT_ANOTHER(preference, ICMPV6_ROUTER_PREF_HIGH);
    EXPECT_ANOTHER(mtu, 1400);
    EXPECT_ANOTHER(index, 8);
    EXPECT_ANOTHER(destination, address_of("1.0.0.0"));
    EXPECT_ANOTHER(gateway, address_of("10.99.0.2"));
    EXPECT_ANOTHER(source, address_of("10.99.0.3"));
#undef EXPECT_ANOTHER
    other = list->routes[0];
    other.index = 1; /* an unreachable v6 route: the kernel says lo */
    assert_ptr_equal(route_list_find(list, &other), &list->routes[0]);
    other = list->routes[1];
    other.expires_in = 5;
    assert_ptr_equal(route_list_find(list, &other), &list->routes[1]);
}

static void a_lifetime_is_right_within_two_seconds(void **state)
{
    struct route a = {.expires_in = 100};
    struct route b = {.expires_in = 98};

    (void)state;
    assert_true(route_lifetime_equal(&a, &b));
    assert_true(route_lifetime_equal(&b, &a));
    b.expires_in = 97;
    assert_false(route_lifetime_equal(&a, &b));
    assert_false(route_lifetime_equal(&b, &a));
    a.expires_in = 1;
    b.expires_in = 0; /* for ever */
    assert_false(route_lifetime_equal(&a, &b));
    a.expires_in = 0;
    assert_true(route_lifetime_equal(&a, &b));
    a.is_expired = true;
    assert_false(route_lifetime_equal(&a, &b));
    assert_false(route_lifetime_equal(&b, &a));
}

static void what_others_put_there_is_told_from_ours(void **state)
{
    struct route route = {.table = RT_TABLE_MAIN, .protocol = RTPROT_STATIC, .destination_length = 24};

    (void)state;
    assert_false(route_concerns_us(&route));
    assert_false(route_may_remove(&route));
    route.protocol = ROUTE_PROTOCOL;
    assert_true(route_concerns_us(&route));
    assert_true(route_may_remove(&route));
    route = (struct route){.table = ROUTE_TABLE_NUMBER, .protocol = RTPROT_STATIC, .destination_length = 0};
    assert_true(route_concerns_us(&route));
    assert_true(route_may_remove(&route));
}

static void a_trespasser_leads_inside_in_a_router_s_name(void **state)
{
    struct wire_network shared = {.subnet_count = 2};
    struct ip_subnet inner = subnet_of("fd30::/64");
    struct route trespasser = {
        .family = IP_FAMILY_6,
        .type = RTN_UNICAST,
        .protocol = RTPROT_RA,
        .table = RT_TABLE_MAIN,
        .index = EXTERNAL_INDEX,
        .destination = inner.address,
        .destination_length = 64,
    };
    struct route route = trespasser;

    (void)state;
    shared.subnets[1].address = wire_address_from(&inner.address);
    shared.subnets[1].prefix_length = 64;
    shared.subnets[0].address = wire_address_from(&(struct ip_address){IP_FAMILY_4, {172, 30}});
    shared.subnets[0].prefix_length = 24;
    assert_true(route_plan_is_trespasser(&route, EXTERNAL_INDEX, &shared));
    route.protocol = RTPROT_KERNEL;
    route.destination = address_of("fd30::5");
    route.destination_length = 128;
    assert_true(route_plan_is_trespasser(&route, EXTERNAL_INDEX, &shared));
    route.destination_length = 63; /* wider: the shared link's own route wins */
    assert_false(route_plan_is_trespasser(&route, EXTERNAL_INDEX, &shared));
    route = trespasser;
    route.protocol = RTPROT_STATIC;
    assert_false(route_plan_is_trespasser(&route, EXTERNAL_INDEX, &shared));
    route = trespasser;
    route.index++;
    assert_false(route_plan_is_trespasser(&route, EXTERNAL_INDEX, &shared));
    route = trespasser;
    route.table = ROUTE_TABLE_NUMBER;
    assert_false(route_plan_is_trespasser(&route, EXTERNAL_INDEX, &shared));
    route = trespasser;
    route.type = RTN_UNREACHABLE;
    assert_false(route_plan_is_trespasser(&route, EXTERNAL_INDEX, &shared));
    route = trespasser;
    route.destination = address_of("fd31::");
    assert_false(route_plan_is_trespasser(&route, EXTERNAL_INDEX, &shared));
}

static void a_router_is_a_default_route_that_holds(void **state)
{
    struct route router = {
        .family = IP_FAMILY_6,
        .protocol = RTPROT_RA,
        .table = RT_TABLE_MAIN,
        .index = EXTERNAL_INDEX,
        .gateway = address_of("fe80::1"),
    };
    struct route route = router;

    (void)state;
    assert_true(route_plan_is_router(&route, EXTERNAL_INDEX));
    route.is_expired = true;
    assert_false(route_plan_is_router(&route, EXTERNAL_INDEX));
    route = router;
    route.gateway.family = IP_FAMILY_NONE;
    assert_false(route_plan_is_router(&route, EXTERNAL_INDEX));
    route = router;
    route.destination_length = 64;
    assert_false(route_plan_is_router(&route, EXTERNAL_INDEX));
    route = router;
    route.protocol = RTPROT_KERNEL;
    assert_false(route_plan_is_router(&route, EXTERNAL_INDEX));
    route = router;
    route.table = ROUTE_TABLE_NUMBER;
    assert_false(route_plan_is_router(&route, EXTERNAL_INDEX));
    route = router;
    route.family = IP_FAMILY_4;
    assert_false(route_plan_is_router(&route, EXTERNAL_INDEX));
    assert_false(route_plan_is_router(&router, EXTERNAL_INDEX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_has_a_last_resort_before_it),
        cmocka_unit_test(without_a_link_only_the_last_resort_is_wanted),
        cmocka_unit_test(advertised_routers_keep_order_preference_and_lifetime),
        cmocka_unit_test(a_lease_brings_routes_and_mtu),
        cmocka_unit_test(an_mtu_that_the_link_has_is_none),
        cmocka_unit_test(the_main_table_has_two_halves),
        cmocka_unit_test(the_most_that_is_ever_wanted_has_room),
        cmocka_unit_test(what_is_inside_leads_to_its_link_or_nowhere),
        cmocka_unit_test(what_is_remembered_is_found_again),
        cmocka_unit_test(a_lease_is_found_again_in_either_table),
        cmocka_unit_test(of_too_many_leased_routes_the_first_are_taken),
        cmocka_unit_test(a_route_is_found_by_all_that_counts),
        cmocka_unit_test(a_lifetime_is_right_within_two_seconds),
        cmocka_unit_test(what_others_put_there_is_told_from_ours),
        cmocka_unit_test(a_trespasser_leads_inside_in_a_router_s_name),
        cmocka_unit_test(a_router_is_a_default_route_that_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
