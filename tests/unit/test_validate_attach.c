/* Unit tests of the gate of every process: the host half of attach (protocol/validate_attach), a row per rule. */
#include "tests/unit/validate_case.h"

#include "common/log.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void begin_configuration(void)
{
    begin(MESSAGE_CONFIGURE_NAMESPACES, sizeof(struct message_configure_namespaces));
}

static const struct rule_case configuration_rules[] = {
    PASSES(SET(namespaces.log_level, LOG_LEVEL_MAX_ - 1)),
    BREAKS("log level", SET(namespaces.log_level, LOG_LEVEL_MAX_)),
    BREAKS("log level", SET(namespaces.reserved, 1)),
};

static void begin_wanted(void)
{
    begin(MESSAGE_NAMESPACE_WANTED, sizeof(struct message_container));
    memcpy(message.container.id, ID, sizeof(ID));
}

static void begin_left(void)
{
    begin_wanted();
    message.header.type = MESSAGE_NAMESPACE_LEFT;
}

static const struct rule_case wanted_rules[] = {
    PASSES(SET(container.pid, 4 * 1024 * 1024)),
    BREAKS("ID of a container", FILL(container.id)),
    BREAKS("ID of a container", SET(container.id[0], '\0')),
    BREAKS("ID of a container", SET(container.id[63], '\0')),
    BREAKS("ID of a container", SET(container.id[63], 'g')),
    BREAKS("ID of a container", SET(container.id[0], 'A')),
    BREAKS("ID of a container", SET(container.id[10], '/')),
    BREAKS("ID of a container", SET(container.id[64], '0')),
    BREAKS("ID of a container", SET(container.id[71], '0')),
    BREAKS("process", SET(container.pid, 4 * 1024 * 1024 + 1)),
    BREAKS("process", SET(container.reserved, 1)),
};

static const struct rule_case left_rules[] = {
    BREAKS("process", SET(container.pid, 1)),
    BREAKS("ID of a container", SET(container.id[0], 'g')),
};

static void begin_answer(void)
{
    begin(MESSAGE_NAMESPACE_ANSWER, sizeof(struct message_namespace_answer));
    memcpy(message.namespace_answer.id, ID, sizeof(ID));
    message.namespace_answer.inode = 4026531840;
}

static const struct rule_case answer_rules[] = {
    PASSES(SET(namespace_answer.number, WAY_NAMESPACES_MAX - 1)),
    PASSES(SET(namespace_answer.inode, 0), SET(namespace_answer.error, -EPERM), TEXT(namespace_answer.reason, "no")),
    BREAKS("ID of a container", SET(namespace_answer.id[0], 'g')),
    BREAKS("namespace", SET(namespace_answer.number, WAY_NAMESPACES_MAX)),
    BREAKS("namespace", SET(namespace_answer.inode, 0)),
    BREAKS("namespace", SET(namespace_answer.error, -EPERM)),
    BREAKS("namespace", SET(namespace_answer.error, EPERM)),
    BREAKS("namespace", SET(namespace_answer.inode, 0), SET(namespace_answer.error, -EPERM),
           SET(namespace_answer.number, 1)),
    BREAKS("string not terminated", FILL(namespace_answer.reason)),
};

static void begin_gone(void)
{
    begin(MESSAGE_NAMESPACE_GONE, sizeof(struct message_namespace_gone));
}

static const struct rule_case gone_rules[] = {
    PASSES(SET(namespace_gone.number, WAY_NAMESPACES_MAX - 1)),
    BREAKS("number of the namespace", SET(namespace_gone.number, WAY_NAMESPACES_MAX)),
    BREAKS("number of the namespace", SET(namespace_gone.reserved, 1)),
};

static void host10_what_namespaces_hears_and_says_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_NAMESPACES, 0, begin_configuration, configuration_rules);
    EXPECT_EACH(WATCHER_TO_NAMESPACES, 0, begin_wanted, wanted_rules);
    EXPECT_EACH(WATCHER_TO_NAMESPACES, 0, begin_left, left_rules);
    EXPECT_EACH(NAMESPACES_TO_WATCHER, 0, begin_answer, answer_rules);
    EXPECT_EACH(NAMESPACES_TO_WAY, 0, begin_gone, gone_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(host10_what_namespaces_hears_and_says_is_checked)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
