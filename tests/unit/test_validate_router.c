/* Unit tests of the gate: what the announcer tells netadmin of a router (protocol/validate_router.c). */
#include "tests/unit/validate_case.h"

static void an_advertisement_is_checked_field_by_field(void **state)
{
    const enum message_direction direction = DIRECTION_ANNOUNCER_TO_NETADMIN;
    struct message_advertised *advertised = &message.advertised;
    struct ip_address address;

    (void)state;
    begin(MESSAGE_ADVERTISED, sizeof(*advertised));
    EXPECT_BROKEN(direction, "address family");
    assert_int_equal(ip_address_parse("2001:db8::1", &address), 0);
    advertised->router = wire_address_from(&address);
    EXPECT_BROKEN(direction, "interface index");
    advertised->index = 2;
    EXPECT_BROKEN(direction, "router");
    assert_int_equal(ip_address_parse("fe80::1", &address), 0);
    advertised->router = wire_address_from(&address);
    assert_null(verdict(direction, 0));
    advertised->longest_route = 129;
    EXPECT_BROKEN(direction, "route prefix length");
    advertised->longest_route = 128;
    advertised->reserved = 1;
    EXPECT_BROKEN(direction, "reserved field not zero");
    advertised->reserved = 0;
    advertised->prefix_count = ADVERTISED_PREFIXES_MAX + 1;
    EXPECT_BROKEN(direction, "too many prefixes");
    advertised->prefix_count = ADVERTISED_PREFIXES_MAX;
    EXPECT_BROKEN(direction, "address family");
    advertised->prefix_count = 1;
    assert_int_equal(ip_address_parse("2001:db8::1", &address), 0);
    advertised->prefixes[0].address = wire_address_from(&address);
    EXPECT_BROKEN(direction, "prefix length");
    advertised->prefixes[0].prefix_length = 129;
    EXPECT_BROKEN(direction, "prefix length");
    advertised->prefixes[0].prefix_length = 64;
    EXPECT_BROKEN(direction, "host bits of a prefix");
    advertised->prefixes[0].prefix_length = 128;
    assert_null(verdict(direction, 0));
    advertised->prefixes[0].reserved[0] = 1;
    EXPECT_BROKEN(direction, "padding not zero");
    advertised->prefixes[0].reserved[0] = 0;
    advertised->prefixes[1].prefix_length = 64;
    EXPECT_BROKEN(direction, "unused prefix not zero");
    advertised->prefixes[1].prefix_length = 0;
    assert_int_equal(ip_address_parse("10.0.0.1", &address), 0);
    advertised->prefixes[0].address = wire_address_from(&address);
    EXPECT_BROKEN(direction, "prefix of another family");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_advertisement_is_checked_field_by_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
