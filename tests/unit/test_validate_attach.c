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

static void begin_links_configuration(void)
{
    begin(MESSAGE_CONFIGURE_LINKS, sizeof(struct message_configure_links));
    memcpy(message.links_configuration.project, "mail", sizeof("mail"));
    memcpy(message.links_configuration.parent, "eth0", sizeof("eth0"));
    message.links_configuration.external_mac = (struct mac_address){{2, 0, 0, 0, 0, 1}};
    message.links_configuration.inner_mac = (struct mac_address){{2, 0, 0, 0, 0, 2}};
}

static const struct rule_case links_configuration_rules[] = {
    PASSES(TEXT(links_configuration.named_bridges[15], "a-bridge.of-min")),
    PASSES(TEXT(links_configuration.named_bridges[0], "docker0")),
    BREAKS("project", FILL(links_configuration.project)),
    BREAKS("project", SET(links_configuration.project[0], '\0')),
    BREAKS("parent", SET(links_configuration.parent[0], '\0')),
    BREAKS("parent", FILL(links_configuration.parent)),
    BREAKS("parent", TEXT(links_configuration.parent, "../x")),
    BREAKS("parent", TEXT(links_configuration.parent, "..")),
    BREAKS("parent", TEXT(links_configuration.parent, "a b")),
    BREAKS("parent", SET(links_configuration.parent[15], 'x')),
    BREAKS("bridge", TEXT(links_configuration.named_bridges[1], "a/b")),
    BREAKS("bridge", SET(links_configuration.named_bridges[1][3], 'x')),
    BREAKS("MAC address", SET(links_configuration.external_mac, {0})),
    BREAKS("MAC address", SET(links_configuration.inner_mac, {1, 0, 0, 0, 0, 1})),
    BREAKS("log level", SET(links_configuration.log_level, LOG_LEVEL_MAX_)),
    BREAKS("log level", SET(links_configuration.reserved, 1)),
};

static void begin_identity(void)
{
    begin(MESSAGE_LINKS_IDENTITY, sizeof(struct message_identity));
    message.identity.kind = IDENTITY_NAMESPACE;
}

static const struct rule_case identity_rules[] = {
    PASSES(SET(identity.kind, IDENTITY_SOCKET)),
    BREAKS("kind of descriptor", SET(identity.kind, 0)),
    BREAKS("kind of descriptor", SET(identity.kind, IDENTITY_DESCRIPTOR_MAX_)),
    BREAKS("kind of descriptor", SET(identity.reserved, 1)),
};

static void begin_bridges(void)
{
    begin(MESSAGE_BRIDGES, sizeof(struct message_bridges));
    message.bridges.count = 1;
    memcpy(message.bridges.items[0].network_id, ID, sizeof(ID));
    memcpy(message.bridges.items[0].network, "default", sizeof("default"));
    memcpy(message.bridges.items[0].bridge, "br-0123456789ab", sizeof("br-0123456789ab"));
}

static void begin_full_bridges(void)
{
    begin_bridges();
    message.bridges.count = BRIDGES_MAX;
    for (size_t i = 1; i < BRIDGES_MAX; i++)
        message.bridges.items[i] = message.bridges.items[0];
}

static const struct rule_case bridges_rules[] = {
    BREAKS("number of bridges", SET(bridges.count, BRIDGES_MAX + 1)),
    BREAKS("number of bridges", SET(bridges.reserved, 1)),
    BREAKS("padding not zero", SET(bridges.count, 0)),
    BREAKS("ID of a network", SET(bridges.count, 2)),
    BREAKS("name of a network", SET(bridges.items[0].network[0], '\x1b')),
    BREAKS("name of a network", SET(bridges.items[0].network[6], '\x7f')),
    PASSES(SET(bridges.items[0].network[0], ' ')),
    PASSES(SET(bridges.items[0].network[6], '~')),
    BREAKS("ID of a network", SET(bridges.items[0].network_id[63], 'g')),
    BREAKS("string not terminated", FILL(bridges.items[0].network)),
    BREAKS("bridge", SET(bridges.items[0].bridge[0], '/')),
    BREAKS("bridge", SET(bridges.items[0].bridge[15], 'c')),
    BREAKS("padding not zero", SET(bridges.items[63].bridge[15], 1)),
};

static const struct rule_case full_bridges_rules[] = {
    BREAKS("number of bridges", SET(bridges.count, BRIDGES_MAX + 1)),
    BREAKS("bridge", SET(bridges.items[63].bridge[0], '/')),
};

static void begin_link_answer(void)
{
    begin(MESSAGE_LINK_ANSWER, sizeof(struct message_link_answer));
    memcpy(message.link_answer.name, "ancext", sizeof("ancext"));
}

static const struct rule_case link_answer_rules[] = {
    PASSES(TEXT(link_answer.network_id, ID)),
    PASSES(SET(link_answer.error, -EPERM), SET(link_answer.name, 0), TEXT(link_answer.reason, "no")),
    BREAKS("ID of a network", SET(link_answer.network_id[0], 'g')),
    BREAKS("link", SET(link_answer.error, 1)),
    BREAKS("link", SET(link_answer.error, -EPERM)),
    BREAKS("link", SET(link_answer.name[0], '\0')),
    BREAKS("link", SET(link_answer.reserved, 1)),
    BREAKS("string not terminated", FILL(link_answer.reason)),
};

static void host2_what_links_hears_and_says_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_LINKS, 0, begin_links_configuration, links_configuration_rules);
    EXPECT_EACH(SUPERVISOR_TO_LINKS, 1, begin_identity, identity_rules);
    EXPECT_EACH(WATCHER_TO_LINKS, 0, begin_bridges, bridges_rules);
    EXPECT_EACH(WATCHER_TO_LINKS, 0, begin_full_bridges, full_bridges_rules);
    EXPECT_EACH(LINKS_TO_WATCHER, 0, begin_link_answer, link_answer_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host10_what_namespaces_hears_and_says_is_checked),
        cmocka_unit_test(host2_what_links_hears_and_says_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
