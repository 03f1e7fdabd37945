/* Unit tests of the gate of every process: what anchord-gate is told (protocol/validate_gate), a row per rule. */
#include "tests/unit/validate_case.h"

#include "common/log.h"

static void begin_configure_gate(void)
{
    begin(MESSAGE_CONFIGURE_GATE, sizeof(struct message_configure_gate));
    memcpy(message.gate.docker_socket, "/var/run/docker.sock", sizeof("/var/run/docker.sock"));
    memcpy(message.gate.labels, "%22label%22", sizeof("%22label%22"));
}

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct rule_case configuration_rules[] = {
    BREAKS("string not terminated", FILL(gate.docker_socket)),
    BREAKS("path of Docker's socket", SET(gate.docker_socket[0], 'x')),
    BREAKS("scope that is no part of a query", FILL(gate.labels)),
    BREAKS("scope that is no part of a query", FILL(gate.event_labels)),
    BREAKS("scope that is no part of a query", FILL(gate.follow_network)),
    BREAKS("scope that is no part of a query", FILL(gate.follow_network_path)),
    BREAKS("scope that is no part of a query", FILL(gate.follow_target_path)),
    BREAKS("scope that is no part of a query", TEXT(gate.labels, "a&b")),
    BREAKS("scope that is no part of a query", TEXT(gate.event_labels, "a b")),
    BREAKS("scope that is no part of a query", TEXT(gate.follow_network, "a/b")),
    BREAKS("scope that is no part of a query", TEXT(gate.follow_network_path, "a?b")),
    BREAKS("scope that is no part of a query", TEXT(gate.follow_target_path, "a\r\n")),
    PASSES(TEXT(gate.follow_target_path, "az-AZ.09_~%2F")),
    BREAKS("scope that is no part of a query", FILL(gate.own)),
    BREAKS("scope that is no part of a query", TEXT(gate.own, "\"id\"")),
    PASSES(TEXT(gate.own, "%22id%22%3A%5B%22" ID "%22%5D")),
    PASSES(SET(gate.log_level, LOG_LEVEL_MAX_ - 1)),
    BREAKS("log level", SET(gate.log_level, LOG_LEVEL_MAX_)),
    BREAKS("no scope", SET(gate.labels[0], '\0')),
    BREAKS("no scope", SET(gate.labels[0], '\0'), TEXT(gate.follow_target_path, "monitor")),
};

static void begin_listener(void)
{
    begin(MESSAGE_GATE_LISTENER, sizeof(struct message_gate_listener));
    message.listener.client = GATE_CLIENT_WATCHER;
    message.listener.user = 24941;
}

static const struct rule_case listener_rules[] = {
    BREAKS("client", SET(listener.client, 0)),
    BREAKS("client", SET(listener.client, GATE_CLIENT_MAX_)),
    PASSES(SET(listener.client, GATE_CLIENT_MAX_ - 1)),
    BREAKS("user", SET(listener.user, 0)),
};

static void what_the_gate_is_told_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_GATE, 0, begin_configure_gate, configuration_rules);
    EXPECT_EACH(SUPERVISOR_TO_GATE, 1, begin_listener, listener_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_gate_is_told_is_checked)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
