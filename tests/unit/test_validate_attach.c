/* Unit tests of the gate of every process: the host half of attach (protocol/validate_attach), a row per rule. */
#include "tests/unit/validate_case.h"

#include "common/log.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NEXT_HOP       \
    IP_FAMILY_4, {0},  \
    {                  \
        169, 254, 7, 9 \
    }
#define HOST4         \
    IP_FAMILY_4, {0}, \
    {                 \
        192, 0, 2, 5  \
    }

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
    message.links_configuration.next_hop = (struct wire_address){NEXT_HOP};
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
    BREAKS("next hop", SET(links_configuration.next_hop, 0)),
    BREAKS("next hop", SET(links_configuration.next_hop.family, IP_FAMILY_6)),
    BREAKS("next hop", SET(links_configuration.next_hop.bytes[0], 168)),
    BREAKS("next hop", SET(links_configuration.next_hop.bytes[1], 253)),
    BREAKS("next hop", SET(links_configuration.next_hop.bytes[4], 1)),
    PASSES(SET(links_configuration.is_guarded, 1)),
    BREAKS("guard", SET(links_configuration.is_guarded, 2)),
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
    PASSES(SET(bridges.items[0].is_owned, 1)),
    BREAKS("bridge", SET(bridges.items[0].is_owned, 2)),
    BREAKS("padding not zero", SET(bridges.items[63].is_owned, 1)),
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

/* --- guard and meeting -------------------------------------------------------------------------------- */

static void begin_guarded(void)
{
    begin(MESSAGE_GUARDED, sizeof(struct message_guarded));
    message.guarded.count = 1;
    message.guarded.items[0].address = (struct wire_address){HOST4};
}

static const struct rule_case guarded_rules[] = {
    PASSES(SET(guarded.items[0].bridge, BRIDGES_MAX - 1)),
    BREAKS("number of addresses", SET(guarded.count, GUARDED_MAX + 1)),
    BREAKS("number of addresses", SET(guarded.reserved, 1)),
    BREAKS("address family", SET(guarded.count, GUARDED_MAX)),
    BREAKS("bridge", SET(guarded.items[0].bridge, BRIDGES_MAX)),
    BREAKS("padding not zero", SET(guarded.count, 0)),
    BREAKS("padding not zero", SET(guarded.items[GUARDED_MAX - 1].bridge, 1)),
};

static void host6_whom_the_guard_closes_in_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(WATCHER_TO_LINKS, 0, begin_guarded, guarded_rules);
}

static void begin_welcome(void)
{
    begin(MESSAGE_WELCOME, sizeof(struct message_welcome));
    memcpy(message.welcome.project, "mail", sizeof("mail"));
    memcpy(message.welcome.parent, "eth0", sizeof("eth0"));
    message.welcome.external_mac = (struct mac_address){{2, 0, 0, 0, 0, 1}};
    message.welcome.inner_mac = (struct mac_address){{2, 0, 0, 0, 0, 2}};
    message.welcome.next_hop = (struct wire_address){NEXT_HOP};
}

static const struct rule_case welcome_rules[] = {
    BREAKS("project", FILL(welcome.project)),
    BREAKS("project", SET(welcome.project[0], '\0')),
    BREAKS("parent", TEXT(welcome.parent, "a/b")),
    BREAKS("MAC address", SET(welcome.external_mac, {3, 0, 0, 0, 0, 1})),
    BREAKS("MAC address", SET(welcome.inner_mac, {0})),
    BREAKS("MAC address", SET(welcome.inner_mac, {2, 0, 0, 0, 0, 1})),
    BREAKS("next hop", SET(welcome.next_hop, HOST4)),
    BREAKS("next hop", SET(welcome.reserved, 1)),
};

static void begin_host_worker(void)
{
    begin(MESSAGE_HOST_WORKER_STARTED, sizeof(struct message_host_worker_started));
    message.host_worker.worker = HOST_WORKER_LINKS;
}

static const struct rule_case host_worker_rules[] = {
    PASSES(SET(host_worker.worker, HOST_WORKER_MAX_ - 1)),
    BREAKS("worker", SET(host_worker.worker, 0)),
    BREAKS("worker", SET(host_worker.worker, HOST_WORKER_MAX_)),
    BREAKS("worker", SET(host_worker.reserved, 1)),
};

static void begin_meeting_link(void)
{
    begin(MESSAGE_MEETING_LINK, sizeof(struct message_meeting_link));
    message.meeting_link.worker = HOST_WORKER_LINKS;
    message.meeting_link.peer = LINK_PEER_WATCHER;
}

static const struct rule_case meeting_link_rules[] = {
    PASSES(SET(meeting_link.worker, HOST_WORKER_NAMESPACES)),
    PASSES(SET(meeting_link.worker, HOST_WORKER_NAMESPACES), SET(meeting_link.peer, LINK_PEER_WAY)),
    BREAKS("worker", SET(meeting_link.worker, 0)),
    BREAKS("worker", SET(meeting_link.worker, HOST_WORKER_MAX_)),
    BREAKS("peer", SET(meeting_link.peer, LINK_PEER_WAY)),
    BREAKS("peer", SET(meeting_link.peer, LINK_PEER_NETADMIN)),
};

static void host11_what_the_halves_say_to_each_other_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(HOST_TO_IDENTITY, 0, begin_welcome, welcome_rules);
    EXPECT_EACH(HOST_TO_IDENTITY, 0, begin_host_worker, host_worker_rules);
    EXPECT_EACH(IDENTITY_TO_HOST, 1, begin_meeting_link, meeting_link_rules);
    EXPECT_EACH(IDENTITY_TO_HOST, 1, begin_identity, identity_rules);
}

static void begin_shared_links(void)
{
    begin(MESSAGE_SHARED_LINKS, sizeof(struct message_shared_links));
    message.shared_links.count = 1;
    message.shared_links.items[0].number = 3;
    memcpy(message.shared_links.items[0].name, "ancin3", sizeof("ancin3"));
    memcpy(message.shared_links.items[0].network_id, ID, sizeof(ID));
    message.shared_links.items[0].subnet_count = 1;
    message.shared_links.items[0].subnets[0].address = (struct wire_address){HOST4};
    message.shared_links.items[0].subnets[0].prefix_length = 24;
}

static void begin_two_shared_links(void)
{
    begin_shared_links();
    message.shared_links.count = 2;
    message.shared_links.items[1] = message.shared_links.items[0];
    message.shared_links.items[1].number = SHARED_LINKS_MAX - 1;
}

static const struct rule_case shared_links_rules[] = {
    PASSES(SET(shared_links.items[0].subnets[0].prefix_length, 32)),
    BREAKS("prefix length", SET(shared_links.items[0].subnets[0].prefix_length, 33)),
    BREAKS("prefix length", SET(shared_links.items[0].subnets[0].reserved[2], 1)),
    BREAKS("address family", SET(shared_links.items[0].subnet_count, SUBNETS_MAX)),
    BREAKS("number of subnets", SET(shared_links.items[0].subnet_count, SUBNETS_MAX + 1)),
    BREAKS("padding not zero", SET(shared_links.items[0].subnet_count, 0)),
    BREAKS("link", SET(shared_links.items[0].number, SHARED_LINKS_MAX)),
    BREAKS("link", TEXT(shared_links.items[0].name, "")),
    BREAKS("link", SET(shared_links.items[0].network_id[63], 'g')),
    BREAKS("number of links", SET(shared_links.count, SHARED_LINKS_MAX + 1)),
    BREAKS("number of links", SET(shared_links.reserved, 1)),
    BREAKS("padding not zero", SET(shared_links.count, 0)),
};

static const struct rule_case two_shared_links_rules[] = {
    BREAKS("link twice", SET(shared_links.items[1].number, 3)),
};

static void begin_host_addresses(void)
{
    begin(MESSAGE_HOST_ADDRESSES, sizeof(struct message_host_addresses));
    message.host_addresses.count = 1;
    message.host_addresses.items[0].address = (struct wire_address){HOST4};
}

static const struct rule_case host_addresses_rules[] = {
    PASSES(SET(host_addresses.items[0].is_on_parent, 1)),
    BREAKS("parent", SET(host_addresses.items[0].is_on_parent, 2)),
    BREAKS("parent", SET(host_addresses.items[0].reserved[2], 1)),
    BREAKS("address family", SET(host_addresses.count, HOST_ADDRESSES_MAX)),
    BREAKS("number of addresses", SET(host_addresses.count, HOST_ADDRESSES_MAX + 1)),
    PASSES(SET(host_addresses.host_mac, {2, 0, 0, 0, 0, 1})),
    BREAKS("MAC address", SET(host_addresses.host_mac, {3, 0, 0, 0, 0, 1})),
    BREAKS("MAC address", SET(host_addresses.reserved[5], 1)),
    BREAKS("padding not zero", SET(host_addresses.count, 0)),
};

static void begin_project_addresses(void)
{
    begin(MESSAGE_PROJECT_ADDRESSES, sizeof(struct message_project_addresses));
    message.project_addresses.count = 1;
    message.project_addresses.items[0] = (struct wire_address){HOST4};
}

static const struct rule_case project_addresses_rules[] = {
    BREAKS("address family", SET(project_addresses.items[0].family, 5)),
    BREAKS("address family", SET(project_addresses.count, PROJECT_ADDRESSES_MAX)),
    BREAKS("number of addresses", SET(project_addresses.count, PROJECT_ADDRESSES_MAX + 1)),
    BREAKS("number of addresses", SET(project_addresses.reserved, 1)),
    BREAKS("padding not zero", SET(project_addresses.count, 0)),
};

static void host7_links_and_addresses_are_checked_wherever_they_travel(void **state)
{
    (void)state;
    EXPECT_EACH(LINKS_TO_SUPERVISOR, 0, begin_shared_links, shared_links_rules);
    EXPECT_EACH(HOST_TO_IDENTITY, 0, begin_shared_links, shared_links_rules);
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_two_shared_links, two_shared_links_rules);
    EXPECT_EACH(LINKS_TO_SUPERVISOR, 0, begin_host_addresses, host_addresses_rules);
    EXPECT_EACH(SUPERVISOR_TO_WATCHER, 0, begin_host_addresses, host_addresses_rules);
    EXPECT_EACH(NETADMIN_TO_SUPERVISOR, 0, begin_project_addresses, project_addresses_rules);
    EXPECT_EACH(SUPERVISOR_TO_LINKS, 0, begin_project_addresses, project_addresses_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host10_what_namespaces_hears_and_says_is_checked),
        cmocka_unit_test(host2_what_links_hears_and_says_is_checked),
        cmocka_unit_test(host6_whom_the_guard_closes_in_is_checked),
        cmocka_unit_test(host11_what_the_halves_say_to_each_other_is_checked),
        cmocka_unit_test(host7_links_and_addresses_are_checked_wherever_they_travel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
