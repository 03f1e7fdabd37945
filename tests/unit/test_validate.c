/*
 * Unit tests of the gate (protocol/validate): headers, answers, and the messages of announcer, resolver and
 * exporter; one good example and one bad case per rule. The others are in test_validate_*.c.
 * A guard that is removed from validate.c makes one of these fail.
 */
#include "tests/unit/validate_case.h"

#include "common/log.h"

static void the_header_is_checked_field_by_field(void **state)
{
    const char *reason = NULL;

    (void)state;
    begin(MESSAGE_PING, sizeof(struct message_ping));
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 0));
    assert_int_equal(message_validate(DIRECTION_SUPERVISOR_TO_WATCHER, &message, 23, 0, &reason), -EBADMSG);
    assert_string_equal(reason, "shorter than a header");

    message.header.magic ^= 1;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_WATCHER, "magic");
    message.header.magic ^= 1;
    message.header.version++;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_WATCHER, "version");
    message.header.version--;
    message.header.reserved = 1;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_WATCHER, "reserved field not zero");
    message.header.reserved = 0;
    assert_int_equal(message_validate(DIRECTION_SUPERVISOR_TO_WATCHER, &message, 32, 0, &reason), -EBADMSG);
    assert_string_equal(reason, "length in the header differs from the datagram's");
    message.header.length++;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_WATCHER, "length of this type");
}

#define TO_EVERY_WORKER                                                               \
    (1 << DIRECTION_SUPERVISOR_TO_WATCHER | 1 << DIRECTION_SUPERVISOR_TO_NETADMIN |   \
     1 << DIRECTION_SUPERVISOR_TO_ANNOUNCER | 1 << DIRECTION_SUPERVISOR_TO_RESOLVER | \
     1 << DIRECTION_SUPERVISOR_TO_CONTROL | 1 << DIRECTION_SUPERVISOR_TO_EXPORTER |   \
     1 << DIRECTION_SUPERVISOR_TO_KEEPER | 1 << DIRECTION_SUPERVISOR_TO_GATE)

static void every_type_travels_only_in_its_directions(void **state)
{
    /* One bit per direction in which the type may travel; a new type must be thought about here. */
    static const unsigned int allowed[MESSAGE_TYPE_MAX_] = {
        [MESSAGE_PING] = TO_EVERY_WORKER,
        [MESSAGE_LINK] = TO_EVERY_WORKER & ~(1 << DIRECTION_SUPERVISOR_TO_EXPORTER | 1 << DIRECTION_SUPERVISOR_TO_GATE),
        [MESSAGE_STOP] = TO_EVERY_WORKER,
        [MESSAGE_CONFIGURE_WATCHER] = 1 << DIRECTION_SUPERVISOR_TO_WATCHER,
        [MESSAGE_CONFIGURE_NETADMIN] = 1 << DIRECTION_SUPERVISOR_TO_NETADMIN,
        [MESSAGE_TOPOLOGY] = 1 << DIRECTION_SUPERVISOR_TO_NETADMIN | 1 << DIRECTION_WATCHER_TO_SUPERVISOR |
                             1 << DIRECTION_SUPERVISOR_TO_KEEPER,
        [MESSAGE_PONG] = 1 << DIRECTION_WATCHER_TO_SUPERVISOR | 1 << DIRECTION_NETADMIN_TO_SUPERVISOR |
                         1 << DIRECTION_ANNOUNCER_TO_SUPERVISOR | 1 << DIRECTION_RESOLVER_TO_SUPERVISOR |
                         1 << DIRECTION_CONTROL_TO_SUPERVISOR | 1 << DIRECTION_EXPORTER_TO_SUPERVISOR |
                         1 << DIRECTION_KEEPER_TO_SUPERVISOR | 1 << DIRECTION_GATE_TO_SUPERVISOR,
        [MESSAGE_READINESS] = 1 << DIRECTION_WATCHER_TO_SUPERVISOR | 1 << DIRECTION_NETADMIN_TO_SUPERVISOR |
                              1 << DIRECTION_KEEPER_TO_SUPERVISOR,
        [MESSAGE_EXPOSURES_BEGIN] = 1 << DIRECTION_WATCHER_TO_NETADMIN,
        [MESSAGE_EXPOSURES_ITEMS] = 1 << DIRECTION_WATCHER_TO_NETADMIN,
        [MESSAGE_EXPOSURES_COMMIT] = 1 << DIRECTION_WATCHER_TO_NETADMIN,
        [MESSAGE_LINKS_BEGIN] = 1 << DIRECTION_NETADMIN_TO_WATCHER,
        [MESSAGE_LINKS_ITEMS] = 1 << DIRECTION_NETADMIN_TO_WATCHER,
        [MESSAGE_LINKS_COMMIT] = 1 << DIRECTION_NETADMIN_TO_WATCHER,
        [MESSAGE_MAP_BEGIN] = 1 << DIRECTION_NETADMIN_TO_WATCHER,
        [MESSAGE_MAP_ITEMS] = 1 << DIRECTION_NETADMIN_TO_WATCHER,
        [MESSAGE_MAP_COMMIT] = 1 << DIRECTION_NETADMIN_TO_WATCHER,
        [MESSAGE_APPLIED] = 1 << DIRECTION_NETADMIN_TO_WATCHER,
        [MESSAGE_CONFIGURE_ANNOUNCER] = 1 << DIRECTION_SUPERVISOR_TO_ANNOUNCER,
        [MESSAGE_RAW_SOCKET] = 1 << DIRECTION_SUPERVISOR_TO_ANNOUNCER,
        [MESSAGE_HELD_BEGIN] = 1 << DIRECTION_NETADMIN_TO_ANNOUNCER,
        [MESSAGE_HELD_ITEMS] = 1 << DIRECTION_NETADMIN_TO_ANNOUNCER,
        [MESSAGE_HELD_COMMIT] = 1 << DIRECTION_NETADMIN_TO_ANNOUNCER,
        [MESSAGE_PROBE] = 1 << DIRECTION_NETADMIN_TO_ANNOUNCER,
        [MESSAGE_PROBED] = 1 << DIRECTION_ANNOUNCER_TO_NETADMIN,
        [MESSAGE_ADVERTISED] = 1 << DIRECTION_ANNOUNCER_TO_NETADMIN,
        [MESSAGE_CONFIGURE_RESOLVER] = 1 << DIRECTION_SUPERVISOR_TO_RESOLVER,
        [MESSAGE_GATEWAYS] = 1 << DIRECTION_RESOLVER_TO_NETADMIN,
        [MESSAGE_METRICS_PAGE] = TO_EVERY_WORKER,
        [MESSAGE_CONFIGURE_EXPORTER] = 1 << DIRECTION_SUPERVISOR_TO_EXPORTER,
        [MESSAGE_CONFIGURE_CONTROL] = 1 << DIRECTION_SUPERVISOR_TO_CONTROL,
        [MESSAGE_SUPERVISION] = 1 << DIRECTION_SUPERVISOR_TO_CONTROL,
        [MESSAGE_FINDINGS_BEGIN] = 1 << DIRECTION_WATCHER_TO_CONTROL | 1 << DIRECTION_KEEPER_TO_CONTROL,
        [MESSAGE_FINDINGS_ITEMS] = 1 << DIRECTION_WATCHER_TO_CONTROL | 1 << DIRECTION_KEEPER_TO_CONTROL,
        [MESSAGE_FINDINGS_COMMIT] = 1 << DIRECTION_WATCHER_TO_CONTROL | 1 << DIRECTION_KEEPER_TO_CONTROL,
        [MESSAGE_NETWORK_REPORT] = 1 << DIRECTION_NETADMIN_TO_CONTROL,
        [MESSAGE_LEASE_EVENT] = 1 << DIRECTION_LEASE_TO_SUPERVISOR,
        [MESSAGE_LEASE] = 1 << DIRECTION_SUPERVISOR_TO_NETADMIN,
        [MESSAGE_LEASE_APPLIED] = 1 << DIRECTION_NETADMIN_TO_SUPERVISOR,
        [MESSAGE_EXTERNAL_LINK] = 1 << DIRECTION_NETADMIN_TO_SUPERVISOR,
        [MESSAGE_DOCKER_CREDENTIAL] = 1 << DIRECTION_SUPERVISOR_TO_WATCHER | 1 << DIRECTION_SUPERVISOR_TO_KEEPER,
        [MESSAGE_CONFIGURE_KEEPER] = 1 << DIRECTION_SUPERVISOR_TO_KEEPER,
        [MESSAGE_KEEPER_WANTED] = 1 << DIRECTION_WATCHER_TO_SUPERVISOR,
        [MESSAGE_MANAGED_TARGET] = 1 << DIRECTION_SUPERVISOR_TO_KEEPER,
        [MESSAGE_CONFIGURE_GATE] = 1 << DIRECTION_SUPERVISOR_TO_GATE,
        [MESSAGE_GATE_LISTENER] = 1 << DIRECTION_SUPERVISOR_TO_GATE,
    };

    (void)state;
    for (unsigned int type = 0; type <= MESSAGE_TYPE_MAX_; type++) {
        for (unsigned int direction = 0; direction < DIRECTION_MAX_; direction++) {
            const char *broken;
            bool may = type < MESSAGE_TYPE_MAX_ && allowed[type] & 1U << direction;

            /* The length is wrong for each type, so a type that may travel fails there and nowhere else. */
            begin((enum message_type)type, sizeof(message.bytes) - 8);
            broken = verdict((enum message_direction)direction, 0);
            assert_non_null(broken);
            assert_string_equal(broken, may ? "length of this type" : "type not allowed in this direction");
        }
    }
}

static void descriptors_come_exactly_when_expected(void **state)
{
    (void)state;
    begin(MESSAGE_LINK, sizeof(struct message_link));
    message.link.peer = LINK_PEER_NETADMIN;
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1));
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 0), "number of descriptors");
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 2), "number of descriptors");
    message.link.peer = LINK_PEER_MAX_;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1), "peer");
    message.link.peer = 0;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1), "peer");

    begin(MESSAGE_PING, sizeof(struct message_ping));
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1), "number of descriptors");
}

static void stop_and_readiness_know_their_values(void **state)
{
    (void)state;
    begin(MESSAGE_STOP, sizeof(struct message_stop));
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_NETADMIN, "stop mode");
    message.stop.mode = STOP_TEAR_DOWN;
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_NETADMIN, 0));
    message.stop.mode = STOP_MODE_MAX_;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_NETADMIN, "stop mode");

    begin(MESSAGE_READINESS, sizeof(struct message_readiness));
    message.readiness.conditions = READINESS_ALL_;
    assert_null(verdict(DIRECTION_WATCHER_TO_SUPERVISOR, 0));
    message.readiness.conditions = READINESS_ALL_ + 1;
    EXPECT_BROKEN(DIRECTION_WATCHER_TO_SUPERVISOR, "conditions");
}

static void answers_are_checked(void **state)
{
    (void)state;
    begin(MESSAGE_APPLIED, sizeof(struct message_applied));
    message.applied.error = -EPERM;
    assert_null(verdict(DIRECTION_NETADMIN_TO_WATCHER, 0));
    message.applied.error = 1;
    EXPECT_BROKEN(DIRECTION_NETADMIN_TO_WATCHER, "error is no negative errno");
    message.applied.error = 0;
    memset(message.applied.reason, 'x', REASON_SIZE);
    EXPECT_BROKEN(DIRECTION_NETADMIN_TO_WATCHER, "reason not terminated");

    begin(MESSAGE_MAP_COMMIT, sizeof(struct message_commit));
    message.commit.reserved = 1;
    EXPECT_BROKEN(DIRECTION_NETADMIN_TO_WATCHER, "reserved field not zero");
}

static const struct wire_held good_held = {
    .index = 2,
    .name = "eth0",
    .mac = {{2, 0, 0, 0, 0, 1}},
    .address = {.family = 4, .bytes = {172, 30, 0, 2}},
};

static void begin_held(void)
{
    begin(MESSAGE_HELD_ITEMS, sizeof(struct message_held) + sizeof(struct wire_held));
    message.held.item_count = 1;
    message.held.items[0] = good_held;
}

static void held_addresses_are_checked(void **state)
{
    const enum message_direction direction = DIRECTION_NETADMIN_TO_ANNOUNCER;
    struct wire_held *held = &message.held.items[0];

    (void)state;
    begin_held();
    assert_null(verdict(direction, 0));
    held->index = 0;
    EXPECT_BROKEN(direction, "interface index");
    held->index = UINT32_MAX;
    EXPECT_BROKEN(direction, "interface index");
    held->index = INT32_MAX;
    assert_null(verdict(direction, 0));
    begin_held();
    held->name[0] = '\0';
    EXPECT_BROKEN(direction, "interface name");
    memset(held->name, 'x', sizeof(held->name));
    EXPECT_BROKEN(direction, "interface name");
    begin_held();
    held->mac = (struct mac_address){{0}};
    EXPECT_BROKEN(direction, "MAC address zero");
    begin_held();
    held->is_router = 1;
    assert_null(verdict(direction, 0));
    held->is_router = 2;
    EXPECT_BROKEN(direction, "router flag");
    begin_held();
    held->reserved = 1;
    EXPECT_BROKEN(direction, "padding not zero");
    begin_held();
    held->address.family = 0;
    EXPECT_BROKEN(direction, "address family");
    begin_held();
    message.held.reserved = 1;
    EXPECT_BROKEN(direction, "reserved field not zero");
}

static void the_metrics_messages_are_checked(void **state)
{
    (void)state;
    begin(MESSAGE_METRICS_PAGE, sizeof(struct message_metrics_page));
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_NETADMIN, 1), "metrics access");
    message.metrics_page.access = METRICS_ACCESS_WRITE;
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_NETADMIN, 1));
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_EXPORTER, 1));
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_NETADMIN, 0), "number of descriptors");
    message.metrics_page.access = METRICS_ACCESS_READ; /* others' pages are for the exporter alone */
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_NETADMIN, 1), "metrics access");
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_EXPORTER, 1));
    message.metrics_page.writer = METRICS_WRITER_MAX_;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_EXPORTER, 1), "metrics writer");
    message.metrics_page.writer = 0;
    message.metrics_page.access = METRICS_ACCESS_MAX_;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_EXPORTER, 1), "metrics access");

    begin(MESSAGE_CONFIGURE_EXPORTER, sizeof(struct message_configure_exporter));
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_EXPORTER, 1));
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_EXPORTER, 0), "number of descriptors");
    message.exporter.log_level = LOG_LEVEL_MAX_;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_EXPORTER, 1), "log level");
    message.exporter.log_level = 0;
    message.exporter.reserved = 1;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_EXPORTER, 1), "reserved field not zero");
}

static void the_announcers_messages_are_checked(void **state)
{
    (void)state;
    begin(MESSAGE_CONFIGURE_ANNOUNCER, sizeof(struct message_configure_announcer));
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_ANNOUNCER, 0));
    message.announcer.log_level = 4;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_ANNOUNCER, "log level");

    begin(MESSAGE_RAW_SOCKET, sizeof(struct message_raw_socket));
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_ANNOUNCER, 1), "kind of socket");
    message.raw_socket.kind = RAW_SOCKET_MAX_;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_ANNOUNCER, 1), "kind of socket");
    message.raw_socket.kind = RAW_SOCKET_ARP;
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_ANNOUNCER, 1));
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_ANNOUNCER, 0), "number of descriptors");

    begin(MESSAGE_PROBE, sizeof(struct message_probe));
    EXPECT_BROKEN(DIRECTION_NETADMIN_TO_ANNOUNCER, "interface index");
    message.probe.target = good_held;
    assert_null(verdict(DIRECTION_NETADMIN_TO_ANNOUNCER, 0));

    begin(MESSAGE_PROBED, sizeof(struct message_probed));
    message.probed.target = good_held;
    assert_null(verdict(DIRECTION_ANNOUNCER_TO_NETADMIN, 0));
    message.probed.is_held = 1; /* by whom? */
    EXPECT_BROKEN(DIRECTION_ANNOUNCER_TO_NETADMIN, "holder");
    message.probed.holder.bytes[5] = 7;
    assert_null(verdict(DIRECTION_ANNOUNCER_TO_NETADMIN, 0));
    message.probed.is_held = 2;
    EXPECT_BROKEN(DIRECTION_ANNOUNCER_TO_NETADMIN, "holder");
    message.probed.is_held = 0; /* then it names nobody */
    EXPECT_BROKEN(DIRECTION_ANNOUNCER_TO_NETADMIN, "holder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_checked_field_by_field),
        cmocka_unit_test(every_type_travels_only_in_its_directions),
        cmocka_unit_test(descriptors_come_exactly_when_expected),
        cmocka_unit_test(stop_and_readiness_know_their_values),
        cmocka_unit_test(answers_are_checked),
        cmocka_unit_test(held_addresses_are_checked),
        cmocka_unit_test(the_announcers_messages_are_checked),
        cmocka_unit_test(the_metrics_messages_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
