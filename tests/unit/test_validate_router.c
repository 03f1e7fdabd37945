/* Unit tests of the gate: what the announcer tells netadmin of a router (protocol/validate_router.c), as a table. */
#include "tests/unit/validate_case.h"

#define PREFIX_OF(last_) .family = IP_FAMILY_6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = (last_)}
#define PREFIX           .address = {PREFIX_OF(0)}, .prefix_length = 64

static void begin_advertised(void)
{
    begin(MESSAGE_ADVERTISED, sizeof(struct message_advertised));
    message.advertised.index = 2;
    message.advertised.router = (struct wire_address){.family = IP_FAMILY_6, .bytes = {0xfe, 0x80, [15] = 1}};
}

static void begin_advertised_full(void)
{
    begin_advertised();
    message.advertised.prefix_count = ADVERTISED_PREFIXES_MAX;
    for (size_t i = 0; i < ADVERTISED_PREFIXES_MAX; i++)
        message.advertised.prefixes[i] = (struct wire_prefix){PREFIX};
}

static const struct rule_case routers[] = {
    BREAKS("address family", SET(advertised.router, 0)),
    BREAKS("router", SET(advertised.router, PREFIX_OF(1))),
    BREAKS("router", SET(advertised.router, .family = IP_FAMILY_4, .bytes = {169, 254, 0, 1})),
    BREAKS("interface index", SET(advertised.index, 0)),
    BREAKS("interface index", SET(advertised.index, UINT32_C(1) << 31)),
    PASSES(SET(advertised.index, INT32_MAX)),
    BREAKS("route prefix length", SET(advertised.longest_route, 129)),
    PASSES(SET(advertised.longest_route, 128)),
    BREAKS("reserved field not zero", SET(advertised.reserved, 1)),
    BREAKS("too many prefixes", SET(advertised.prefix_count, ADVERTISED_PREFIXES_MAX + 1)),
    BREAKS("unused prefix not zero", SET(advertised.prefixes[0], PREFIX)),
    BREAKS("unused prefix not zero", SET(advertised.prefixes[ADVERTISED_PREFIXES_MAX - 1].prefix_length, 64)),
    BREAKS("address family", SET(advertised.prefix_count, 1)),
};

static const struct rule_case prefixes[] = {
    BREAKS("unused prefix not zero", SET(advertised.prefix_count, ADVERTISED_PREFIXES_MAX - 1)),
    BREAKS("prefix length", SET(advertised.prefixes[0].prefix_length, 0)),
    BREAKS("prefix length", SET(advertised.prefixes[ADVERTISED_PREFIXES_MAX - 1].prefix_length, 129)),
    PASSES(SET(advertised.prefixes[0].address, PREFIX_OF(1)), SET(advertised.prefixes[0].prefix_length, 128)),
    BREAKS("host bits of a prefix", SET(advertised.prefixes[0].address, PREFIX_OF(1))),
    BREAKS("padding not zero", SET(advertised.prefixes[0].reserved[0], 1)),
    BREAKS("prefix of another family",
           SET(advertised.prefixes[0].address, .family = IP_FAMILY_4, .bytes = {10, 0, 0, 1})),
    BREAKS("address padding not zero", SET(advertised.prefixes[1].address.reserved[2], 1)),
};

static void an_advertisement_is_checked_field_by_field(void **state)
{
    (void)state;
    EXPECT_EACH(ANNOUNCER_TO_NETADMIN, 0, begin_advertised, routers);
    EXPECT_EACH(ANNOUNCER_TO_NETADMIN, 0, begin_advertised_full, prefixes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_advertisement_is_checked_field_by_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
