/*
 * Unit tests of the gate: what the keeper is told (protocol/validate_keeper), a row per rule, and what a managed
 * target's assignments take (protocol/managed_target).
 */
#include "common/log.h"
#include "protocol/managed_target.h"
#include "tests/unit/validate_case.h"

#define GATEWAY4 .family = IP_FAMILY_4, .bytes = {192, 0, 2, 7}
#define GATEWAY6 .family = IP_FAMILY_6, .bytes = {0xfd}

static void begin_configure_keeper(void)
{
    begin(MESSAGE_CONFIGURE_KEEPER, sizeof(struct message_configure_keeper));
    memcpy(message.keeper.docker_host, "unix:///run/docker.sock", 24);
    memcpy(message.keeper.asked_at, "unix:///run/anchord/gate/keeper", 32);
    memcpy(message.keeper.project, "mail", 5);
    message.keeper.role = ANCHOR_ROLE_WRAP_REBINDER;
    message.keeper.poll_interval_milliseconds = 30000;
}

static const struct rule_case keeper_rules[] = {
    BREAKS("role", SET(keeper.role, ANCHOR_ROLE_SERVICE)),
    BREAKS("role", SET(keeper.role, ANCHOR_ROLE_MAX_)),
    BREAKS("string not terminated", FILL(keeper.project)),
    BREAKS("string not terminated", FILL(keeper.docker_host)),
    BREAKS("string not terminated", FILL(keeper.asked_at)),
    BREAKS("string not terminated", FILL(keeper.label_selector)),
    BREAKS("empty string", SET(keeper.docker_host[0], '\0')),
    BREAKS("empty string", SET(keeper.asked_at[0], '\0')),
    BREAKS("no scope", SET(keeper.project[0], '\0')),
    BREAKS("label selector of a rebinder", TEXT(keeper.label_selector, "identity=mail")),
    PASSES(TEXT(keeper.label_selector, "identity=mail"), SET(keeper.role, ANCHOR_ROLE_NETWORK),
           SET(keeper.project[0], '\0')),
    BREAKS("label selector", TEXT(keeper.label_selector, ",dentity=mail"), SET(keeper.role, ANCHOR_ROLE_NETWORK)),
    BREAKS("poll interval", SET(keeper.poll_interval_milliseconds, 0)),
    PASSES(SET(keeper.is_successor, 1), SET(keeper.starts_siblings, 1), SET(keeper.repairs_dependents, 1)),
    BREAKS("is_successor", SET(keeper.is_successor, 2)),
    BREAKS("starts_siblings", SET(keeper.starts_siblings, 2)),
    BREAKS("repairs_dependents", SET(keeper.repairs_dependents, 2)),
    PASSES(SET(keeper.is_held, 1)),
    BREAKS("is_held", SET(keeper.is_held, 2)),
    BREAKS("log level", SET(keeper.log_level, LOG_LEVEL_MAX_)),
    PASSES(SET(keeper.log_level, LOG_LEVEL_MAX_ - 1)),
    BREAKS("managed targets of a rebinder", SET(keeper.managed_count, 1)),
    PASSES(SET(keeper.managed_count, MANAGED_TARGETS_MAX), SET(keeper.role, ANCHOR_ROLE_NETWORK)),
    BREAKS("managed_count", SET(keeper.managed_count, MANAGED_TARGETS_MAX + 1), SET(keeper.role, ANCHOR_ROLE_NETWORK)),
    BREAKS("follow without its role", SET(keeper.follow.network[0], 'n')),
    BREAKS("empty string", SET(keeper.role, ANCHOR_ROLE_EXTERNAL_REBINDER)),
};

static void the_keepers_configuration_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_KEEPER, 0, begin_configure_keeper, keeper_rules);
}

static void begin_configure_follow(void)
{
    begin_configure_keeper();
    message.keeper.role = ANCHOR_ROLE_EXTERNAL_REBINDER;
    memcpy(message.keeper.follow.network, "peer-bus", 9);
    memcpy(message.keeper.follow.target, "monitor", 8);
    message.keeper.follow.steady_milliseconds = 3000;
    message.keeper.follow.settle_limit_milliseconds = 90000;
}

static const struct rule_case follow_rules[] = {
    BREAKS("follow without its role", SET(keeper.role, ANCHOR_ROLE_WRAP_REBINDER)),
    PASSES(SET(keeper.project[0], '\0')),
    BREAKS("empty string", SET(keeper.follow.network[0], '\0')),
    BREAKS("empty string", SET(keeper.follow.target[0], '\0')),
    BREAKS("string not terminated", FILL(keeper.follow.network)),
    BREAKS("string not terminated", FILL(keeper.follow.target)),
    PASSES(SET(keeper.follow.restarts, 1)),
    BREAKS("restarts", SET(keeper.follow.restarts, 2)),
    BREAKS("settling", SET(keeper.follow.steady_milliseconds, 0)),
    BREAKS("settling", SET(keeper.follow.settle_limit_milliseconds, 2999)),
    PASSES(SET(keeper.follow.settle_limit_milliseconds, 3000)),
};

/* LIFE-5 */
static void whom_the_keeper_follows_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_KEEPER, 0, begin_configure_follow, follow_rules);
}

static void begin_managed_target(void)
{
    begin(MESSAGE_MANAGED_TARGET, sizeof(struct message_managed_target));
    message.managed_target.managed.number = 2;
    memcpy(message.managed_target.managed.target, "backend", 8);
    memcpy(message.managed_target.managed.name, "backend-service-anchor", 23);
}

/* LIFE-2 */
static const struct rule_case managed_rules[] = {
    PASSES(SET(managed_target.managed.gateway4, GATEWAY4), SET(managed_target.managed.gateway6, GATEWAY6)),
    BREAKS("address padding not zero", SET(managed_target.managed.gateway4, GATEWAY4),
           SET(managed_target.managed.gateway4.bytes[4], 1)),
    BREAKS("address family", SET(managed_target.managed.gateway6.family, 5)),
    BREAKS("gateway of the other family", SET(managed_target.managed.gateway6, GATEWAY4)),
    BREAKS("gateway of the other family", SET(managed_target.managed.gateway4, GATEWAY6)),
    BREAKS("number", SET(managed_target.managed.number, 0)),
    BREAKS("number", SET(managed_target.managed.reserved, 1)),
    BREAKS("string not terminated", FILL(managed_target.managed.target)),
    BREAKS("string not terminated", FILL(managed_target.managed.name)),
    BREAKS("string not terminated", FILL(managed_target.managed.image)),
    BREAKS("container name", SET(managed_target.managed.target[0], '\0')),
    BREAKS("container name", SET(managed_target.managed.name[0], '-')),
    BREAKS("container name", SET(managed_target.managed.name[2], '/')),
    BREAKS("container name", TEXT(managed_target.managed.name, "backend")),
    BREAKS("assignments", SET(managed_target.managed.labels.length, ASSIGNMENTS_SIZE + 1)),
    BREAKS("assignments", SET(managed_target.managed.labels.reserved, 1)),
    BREAKS("assignments padding not zero", FILL(managed_target.managed.labels.text)),
    BREAKS("assignment not terminated", FILL(managed_target.managed.environment.text),
           SET(managed_target.managed.environment.length, ASSIGNMENTS_SIZE)),
};

static void a_managed_targets_names_and_gateways_are_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_KEEPER, 0, begin_managed_target, managed_rules);
}

static void add(struct assignments *assignments, const char *key, const char *value)
{
    assert_int_equal(assignments_add(assignments, key, strlen(key), value, strlen(value)), 0);
}

static void begin_assignments(void)
{
    begin_managed_target();
    add(&message.managed_target.managed.environment, "A", "b=c");
    add(&message.managed_target.managed.labels, "anchord.expose", "tcp/25");
    add(&message.managed_target.managed.labels, "anchord.managed-by-whom", "");
}

static const struct rule_case assignment_rules[] = {
    BREAKS("assignment without a key", SET(managed_target.managed.environment.text[1], '\0')),
    BREAKS("assignment without a key", SET(managed_target.managed.environment.text[0], '=')),
};

static void a_managed_targets_assignments_are_checked(void **state)
{
    static const char *const reserved[] = {"anchord.managed-by", "anchord.replaces", "com.docker.compose.project"};

    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_KEEPER, 0, begin_assignments, assignment_rules);
    for (size_t i = 0; i < ARRAY_LENGTH(reserved); i++) {
        begin_assignments();
        add(&message.managed_target.managed.labels, reserved[i], "x");
        assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_KEEPER, 0), "reserved label");
    }
}

static void assignments_have_a_limit(void **state)
{
    struct assignments assignments = {0};
    char value[ASSIGNMENTS_SIZE];

    (void)state;
    memset(value, 'v', sizeof(value));
    assert_int_equal(assignments_add(&assignments, "A", 1, value, ASSIGNMENTS_SIZE - 2), -ENOSPC);
    assert_int_equal(assignments.length, 0);
    assert_int_equal(assignments_add(&assignments, "", 0, "v", 1), -EINVAL);
    assert_int_equal(assignments_add(&assignments, "a=b", 3, "v", 1), -EINVAL);
    assert_int_equal(assignments_add(&assignments, "a", 1, "v\0w", 3), -EINVAL);
    assert_int_equal(assignments_add(&assignments, "A", 1, value, ASSIGNMENTS_SIZE - 3), 0);
    assert_int_equal(assignments.length, ASSIGNMENTS_SIZE);
    assert_int_equal(assignments_add(&assignments, "A", 1, "v", 1), -EEXIST);
    assert_null(assignments_check(&assignments));
    assert_null(assignments_next(&assignments, assignments_next(&assignments, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keepers_configuration_is_checked),
        cmocka_unit_test(whom_the_keeper_follows_is_checked),
        cmocka_unit_test(a_managed_targets_names_and_gateways_are_checked),
        cmocka_unit_test(a_managed_targets_assignments_are_checked),
        cmocka_unit_test(assignments_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
