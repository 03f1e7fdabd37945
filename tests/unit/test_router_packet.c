/* Unit tests of router advertisements as the announcer reads them (NAT-8): bytes of RFC 4861 §4.2 and RFC 4191 §2.3. */
#include "workers/announcer/router_packet.h"

#include "common/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct ip_address router = {IP_FAMILY_6, {0xfe, 0x80, [15] = 0xa1}};

/* Header; MTU 1400; 2001:db8:1::/64 preferred; 2001:db8:2::/64 not any more; a route to fd00:7::/48. */
static const uint8_t whole[] = {
    134, 0,  0,  0,    64, 0, 7,    8,    0,    0,    0, 0, 0, 0,  0,    0, /* header */
    5,   1,  0,  0,    0,  0, 5,    0x78,                                   /* MTU */
    3,   4,  64, 0xc0, 0,  0, 0x0e, 0x10, 0,    0,    7, 8, 0, 0,  0,    0, 0x20, 1,    0x0d, 0xb8, 0,
    1,   0,  0,  1,    0,  0, 0,    0,    0,    0,    0, 3, 4, 64, 0xc0, 0, 0,    0x0e, 0x10, 0,    0,
    0,   0,  0,  0,    0,  0, 0x20, 1,    0x0d, 0xb8, 0, 2, 0, 0,  0,    0, 0,    0,    0,    0,    0,
    0,   24, 2,  48,   0,  0, 0,    7,    8,    0xfd, 0, 0, 7, 0,  0,    0, 0, /* route information */
};

static void what_concerns_us_is_read(void **state)
{
    struct message_advertised read;
    struct ip_address address;
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(router_parse(whole, sizeof(whole), 255, &router, &read), 0);
    assert_int_equal(read.mtu, 1400);
    assert_int_equal(read.longest_route, 48);
    assert_int_equal(read.prefix_count, 1);
    address = wire_address_to(&read.prefixes[0].address);
    assert_string_equal(ip_address_format(&address, text), "2001:db8:1::"); /* without host bits */
    assert_int_equal(read.prefixes[0].prefix_length, 64);
    address = wire_address_to(&read.router);
    assert_true(ip_address_equal(&address, &router));
}

static void what_rfc_4861_ignores_is_refused(void **state)
{
    static const struct ip_address global = {IP_FAMILY_6, {0x20, 0x01, [15] = 1}};
    struct message_advertised read;
    uint8_t bytes[sizeof(whole)];

    (void)state;
    assert_int_equal(router_parse(whole, sizeof(whole), 254, &router, &read), -EBADMSG);
    assert_int_equal(router_parse(whole, sizeof(whole), 255, &global, &read), -EBADMSG);
    for (size_t length = 0; length < sizeof(whole); length++) {
        bool is_between_options = length == 16 || length == 24 || length == 56 || length == 88;

        assert_int_equal(router_parse(whole, length, 255, &router, &read), is_between_options ? 0 : -EBADMSG);
    }
    memcpy(bytes, whole, sizeof(bytes));
    bytes[17] = 0; /* an option without length */
    assert_int_equal(router_parse(bytes, sizeof(bytes), 255, &router, &read), -EBADMSG);
    memcpy(bytes, whole, sizeof(bytes));
    bytes[1] = 1;
    assert_int_equal(router_parse(bytes, sizeof(bytes), 255, &router, &read), -EBADMSG);
    bytes[1] = 0;
    bytes[0] = 133;
    assert_int_equal(router_parse(bytes, sizeof(bytes), 255, &router, &read), -EBADMSG);
}

static void only_another_thing_is_told_and_not_too_often(void **state)
{
    struct advertisements table = {0};
    struct message_advertised said = {.index = 2, .router = wire_address_from(&router)};
    uint64_t now = 5 * MICROSECONDS_PER_SECOND;
    unsigned int told = 0;

    (void)state;
    assert_true(advertisements_note(&table, &said, now));
    assert_false(advertisements_note(&table, &said, now));
    said.mtu = 1400;
    assert_true(advertisements_note(&table, &said, now));
    for (uint8_t i = 1; i < 200; i++) { /* as many routers, all forged */
        said.router.bytes[14] = i;
        told += advertisements_note(&table, &said, now);
    }
    assert_int_equal(told, ADVERTISEMENTS_PER_SECOND - 2);
    assert_true(table.links[0].recent.count <= ADVERTISERS_MAX);
    assert_true(advertisements_note(&table, &said, now + MICROSECONDS_PER_SECOND)); /* repeated, and heard */
}

static void what_is_forged_on_one_link_takes_nothing_from_another(void **state)
{
    struct advertisements table = {0};
    struct message_advertised lan = {.index = 2, .router = wire_address_from(&router)};
    struct message_advertised forged = {.index = 3, .router = wire_address_from(&router)};
    uint64_t now = 5 * MICROSECONDS_PER_SECOND;

    (void)state;
    assert_true(advertisements_note(&table, &lan, now));
    for (uint8_t i = 1; i < 200; i++) {
        forged.router.bytes[14] = i;
        (void)advertisements_note(&table, &forged, now);
    }
    assert_false(advertisements_note(&table, &lan, now)); /* remembered, so that nothing is told again */
    lan.mtu = 1400;
    assert_true(advertisements_note(&table, &lan, now)); /* and told when it is another */
    for (uint32_t index = 4; index < 4 + 2 * ADVERTISED_LINKS_MAX; index++) {
        forged.index = index;
        assert_true(advertisements_note(&table, &forged, now));
    }
    assert_int_equal(table.recent.count, ADVERTISED_LINKS_MAX);
}

static unsigned int tell_of_links(struct advertisements *table, uint32_t first, uint32_t count, uint64_t now)
{
    struct message_advertised forged = {.router = wire_address_from(&router)};
    unsigned int told = 0;

    for (uint32_t i = 0; i < 100 * count; i++) {
        forged.index = first + i % count;
        forged.mtu = i;
        told += advertisements_note(table, &forged, now);
    }
    return told;
}

/* WALL-6: whoever has more links than are remembered makes each of them new with each advertisement. */
static void a_link_that_was_forgotten_may_tell_no_more_than_others(void **state)
{
    struct advertisements table = {0};
    struct message_advertised lan = {.index = 1, .router = wire_address_from(&router)};
    uint64_t now = 5 * MICROSECONDS_PER_SECOND;
    const uint32_t links = ADVERTISED_LINKS_MAX + 1;

    (void)state;
    assert_int_equal(tell_of_links(&table, 2, links, now), links * ADVERTISEMENTS_PER_SECOND);
    assert_true(advertisements_note(&table, &lan, now)); /* is heard all the same */
    assert_int_equal(tell_of_links(&table, 2, links, now + MICROSECONDS_PER_SECOND), links * ADVERTISEMENTS_PER_SECOND);
    now += 2 * MICROSECONDS_PER_SECOND; /* links come and go: no more of them than there can be at once */
    assert_int_equal(tell_of_links(&table, 100, 3 * LINKS_MAX, now), LINKS_MAX * ADVERTISEMENTS_PER_SECOND);
    assert_int_equal(tell_of_links(&table, 100, 3 * LINKS_MAX, now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_concerns_us_is_read),
        cmocka_unit_test(what_rfc_4861_ignores_is_refused),
        cmocka_unit_test(only_another_thing_is_told_and_not_too_often),
        cmocka_unit_test(what_is_forged_on_one_link_takes_nothing_from_another),
        cmocka_unit_test(a_link_that_was_forgotten_may_tell_no_more_than_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
