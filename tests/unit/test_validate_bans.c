/* Unit tests of the gate of every process: who is banned (protocol/validate_bans), a row per rule. */
#include "tests/unit/validate_case.h"

#include "common/log.h"

static const struct wire_ban good = {BAN_ALL, IP_FAMILY_4, {192, 0, 2, 7}, 32, 0};

static void begin_bans(void)
{
    begin(MESSAGE_BANS_ITEMS, sizeof(message.bans) + 2 * sizeof(message.bans.items[0]));
    message.bans.item_count = 2;
    message.bans.items[0] = good;
    message.bans.items[1] = (struct wire_ban){BAN_NEW_ONLY, IP_FAMILY_6, {0x20, 1, 0xd, 0xb8}, 64, 1};
}

static const struct rule_case bans_rules[] = {
    PASSES(SET(bans.items[0].is_removed, 1)),
    PASSES(SET(bans.items[0], BAN_ALL, IP_FAMILY_4, {10}, 8, 0)),
    PASSES(SET(bans.items[0], BAN_ALL, IP_FAMILY_6, {0x20, 1}, 16, 0)),
    BREAKS("reserved field not zero", SET(bans.reserved, 1)),
    BREAKS("ban's family or kind", SET(bans.items[0].family, 5)),
    BREAKS("ban's family or kind", SET(bans.items[0].kind, 0)),
    BREAKS("ban's family or kind", SET(bans.items[1].kind, BAN_KIND_MAX_)),
    BREAKS("ban's family or kind", SET(bans.items[0].is_removed, 2)),
    BREAKS("ban's prefix length", SET(bans.items[0].prefix_length, 33)),
    BREAKS("ban's prefix length", SET(bans.items[1].prefix_length, 129)),
    BREAKS("ban's prefix length", SET(bans.items[0], BAN_ALL, IP_FAMILY_4, {10}, 7, 0)),
    BREAKS("ban's prefix length", SET(bans.items[0], BAN_ALL, IP_FAMILY_6, {0x20}, 15, 0)),
    BREAKS("ban's padding not zero", SET(bans.items[0].bytes[4], 1)),
    BREAKS("host bits of a ban not zero", SET(bans.items[0].prefix_length, 31)),
    BREAKS("host bits of a ban not zero", SET(bans.items[1].bytes[15], 1)),
    BREAKS("ban of no host", SET(bans.items[0], BAN_ALL, IP_FAMILY_4, {127}, 8, 0)),
    BREAKS("ban of no host", SET(bans.items[0], BAN_ALL, IP_FAMILY_4, {224}, 8, 0)),
    BREAKS("ban of no host", SET(bans.items[0], BAN_ALL, IP_FAMILY_6, {[15] = 1}, 128, 0)),
};

static void bans_are_checked_one_by_one(void **state)
{
    (void)state;
    EXPECT_EACH(BANS_TO_NETADMIN, 0, begin_bans, bans_rules);
}

static void begin_request(void)
{
    begin(MESSAGE_BAN_REQUEST, sizeof(message.ban_request));
    message.ban_request.operation = BAN_OPERATION_ADD;
    message.ban_request.ban = good;
}

static const struct rule_case request_rules[] = {
    PASSES(SET(ban_request.seconds, BAN_SECONDS_MAX)),
    PASSES(SET(ban_request.operation, BAN_OPERATION_LIST)),
    PASSES(SET(ban_request.operation, BAN_OPERATION_ADD_FORCED)),
    PASSES(SET(ban_request.operation, BAN_OPERATION_LIST), SET(ban_request.ban, 0)),
    PASSES(SET(ban_request.operation, BAN_OPERATION_FLUSH), SET(ban_request.ban, 0)),
    BREAKS("operation", SET(ban_request.operation, 0)),
    BREAKS("operation", SET(ban_request.operation, BAN_OPERATION_MAX_)),
    BREAKS("reason not terminated", FILL(ban_request.reason)),
    BREAKS("seconds", SET(ban_request.seconds, BAN_SECONDS_MAX + 1)),
    BREAKS("FLUSH names a ban", SET(ban_request.operation, BAN_OPERATION_FLUSH)),
    BREAKS("removed", SET(ban_request.ban.is_removed, 1)),
    BREAKS("ban's family or kind", SET(ban_request.ban, 0)),
    BREAKS("ban's family or kind", SET(ban_request.ban, 0), SET(ban_request.operation, BAN_OPERATION_DELETE)),
};

static void requests_are_checked(void **state)
{
    (void)state;
    EXPECT_EACH(BANNER_TO_BANS, 0, begin_request, request_rules);
}

static void begin_applied(void)
{
    begin(MESSAGE_BANS_APPLIED, sizeof(message.bans_applied));
}

static const struct rule_case applied_rules[] = {
    PASSES(SET(bans_applied.error, -1)),
    BREAKS("error", SET(bans_applied.error, 1)),
    BREAKS("error", SET(bans_applied.reserved, 1)),
    BREAKS("reason not terminated", FILL(bans_applied.reason)),
};

static void begin_answer(void)
{
    begin(MESSAGE_BAN_ANSWER, sizeof(message.ban_answer));
}

static const struct rule_case answer_rules[] = {
    PASSES(SET(ban_answer.is_lasting, 1)),
    BREAKS("error", SET(ban_answer.error, 1)),
    BREAKS("error", SET(ban_answer.is_lasting, 2)),
    BREAKS("error", SET(ban_answer.reserved, 1)),
    BREAKS("reason not terminated", FILL(ban_answer.reason)),
};

static void begin_listed(void)
{
    begin(MESSAGE_BANS_LISTED, sizeof(message.bans_listed) + sizeof(message.bans_listed.items[0]));
    message.bans_listed.item_count = 1;
    message.bans_listed.items[0].ban = good;
}

static const struct rule_case listed_rules[] = {
    PASSES(SET(bans_listed.items[0].until, 1)),
    BREAKS("reserved field not zero", SET(bans_listed.reserved, 1)),
    BREAKS("ban's prefix length", SET(bans_listed.items[0].ban.prefix_length, 33)),
    BREAKS("reason not terminated", FILL(bans_listed.items[0].reason)),
    BREAKS("reserved field not zero", SET(bans_listed.items[0].reserved, 1)),
    BREAKS("reserved field not zero", SET(bans_listed.items[0].ban.is_removed, 1)),
};

static void begin_configuration(void)
{
    begin(MESSAGE_CONFIGURE_BANS, sizeof(message.bans_configuration));
}

static const struct rule_case configuration_rules[] = {
    PASSES(SET(bans_configuration.is_lasting, 1)),
    BREAKS("log level", SET(bans_configuration.is_lasting, 2)),
    BREAKS("log level", SET(bans_configuration.log_level, LOG_LEVEL_MAX_)),
};

static void begin_listener(void)
{
    begin(MESSAGE_BAN_LISTENER, sizeof(message.ban_listener));
}

static const struct rule_case listener_rules[] = {
    PASSES(SET(ban_listener.is_roots, 1)),
    BREAKS("whose listener it is", SET(ban_listener.is_roots, 2)),
    BREAKS("whose listener it is", SET(ban_listener.reserved, 1)),
};

static void answers_are_checked(void **state)
{
    (void)state;
    EXPECT_EACH(NETADMIN_TO_BANS, 0, begin_applied, applied_rules);
    EXPECT_EACH(BANS_TO_BANNER, 0, begin_answer, answer_rules);
    EXPECT_EACH(BANS_TO_BANNER, 0, begin_listed, listed_rules);
    EXPECT_EACH(SUPERVISOR_TO_BANS, 0, begin_configuration, configuration_rules);
    EXPECT_EACH(SUPERVISOR_TO_BANS, 1, begin_listener, listener_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bans_are_checked_one_by_one),
        cmocka_unit_test(requests_are_checked),
        cmocka_unit_test(answers_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
