/* Unit tests of which auxiliary gateway addresses netadmin claims, and which it refuses (GW-1, DESIGN §1). */
#include "workers/netadmin/plan/gateway_claim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct wire_address wire(const char *text)
{
    struct ip_address address = {.family = IP_FAMILY_NONE};

    if (text)
        assert_int_equal(ip_address_parse(text, &address), 0);
    return wire_address_from(&address);
}

static struct wire_subnet subnet(const char *prefix, const char *gateway, const char *auxiliary)
{
    struct ip_subnet parsed;

    assert_int_equal(ip_subnet_parse(prefix, &parsed), 0);
    return (struct wire_subnet){
        .address = wire_address_from(&parsed.address),
        .gateway = wire(gateway),
        .auxiliary_gateway = wire(auxiliary),
        .prefix_length = parsed.prefix_length,
    };
}

static void addresses_of_the_subnet_are_accepted(void **state)
{
    struct wire_subnet accepted[] = {
        subnet("172.30.0.0/24", "172.30.0.1", "172.30.0.2"), subnet("172.30.0.0/24", NULL, "172.30.0.254"),
        subnet("fd30::/64", "fd30::1", "fd30::2"),           subnet("fd30::/64", NULL, "fd30::ffff:ffff:ffff:ffff"),
        subnet("172.30.0.0/24", "172.30.0.1", NULL),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++)
        assert_null(gateway_claim_check(&accepted[i]));
}

static void anything_else_is_refused(void **state)
{
    struct wire_subnet refused[] = {
        subnet("172.30.0.0/24", NULL, "172.30.1.2"),
        subnet("172.30.0.0/24", NULL, "10.99.0.1"),
        subnet("172.30.0.0/24", NULL, "172.30.0.0"),
        subnet("172.30.0.0/24", NULL, "172.30.0.255"),
        subnet("fd30::/64", NULL, "fd31::2"),
        subnet("fd30::/64", NULL, "fd30::"),
        subnet("172.30.0.0/24", "172.30.0.1", "172.30.0.1"),
        subnet("127.0.0.0/8", NULL, "127.0.0.1"),
        subnet("224.0.0.0/4", NULL, "224.0.0.5"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_non_null(gateway_claim_check(&refused[i]));
}

static void only_accepted_ones_are_listed(void **state)
{
    struct wire_network network = {.subnet_count = SUBNETS_MAX};
    struct gateway_claim claims[SUBNETS_MAX];
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    network.subnets[0] = subnet("172.30.0.0/24", "172.30.0.1", "172.30.0.2");
    network.subnets[1] = subnet("172.31.0.0/24", "172.31.0.1", NULL);
    network.subnets[2] = subnet("172.32.0.0/24", NULL, "10.99.0.1");
    network.subnets[3] = subnet("fd30::/64", "fd30::1", "fd30::2");
    assert_int_equal(gateway_claim_list(&network, claims), 2);
    assert_string_equal(ip_address_format(&claims[0].address, text), "172.30.0.2");
    assert_int_equal(claims[0].prefix_length, 24);
    assert_string_equal(ip_address_format(&claims[1].address, text), "fd30::2");
    assert_int_equal(claims[1].prefix_length, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_the_subnet_are_accepted),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(only_accepted_ones_are_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
