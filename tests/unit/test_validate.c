/*
 * Unit tests of the gate (protocol/validate): headers, directions, descriptors and numbers of items. What is in a
 * message is in test_validate_*.c. A guard that is removed from validate.c makes one of these fail.
 */
#include "tests/unit/validate_case.h"

#include <netinet/in.h>

static void begin_ping(void)
{
    begin(MESSAGE_PING, sizeof(struct message_ping));
}

static void begin_pong(void)
{
    begin(MESSAGE_PONG, sizeof(struct message_ping));
}

static const struct rule_case header_rules[] = {
    BREAKS("magic", SET(header.magic, MESSAGE_MAGIC ^ 1)),
    BREAKS("version", SET(header.version, MESSAGE_VERSION + 1)),
    BREAKS("reserved field not zero", SET(header.reserved, 1)),
    BREAKS("length of this type", SET(header.length, sizeof(struct message_ping) + 1)),
};

static void the_header_is_checked_field_by_field(void **state)
{
    const char *reason = NULL;

    (void)state;
    begin_ping();
    assert_int_equal(message_validate(DIRECTION_SUPERVISOR_TO_WATCHER, &message, 23, 0, &reason), -EBADMSG);
    assert_string_equal(reason, "shorter than a header");

    assert_int_equal(message_validate(DIRECTION_SUPERVISOR_TO_WATCHER, &message, 32, 0, &reason), -EBADMSG);
    assert_string_equal(reason, "length in the header differs from the datagram's");
    EXPECT_EACH(SUPERVISOR_TO_WATCHER, 0, begin_ping, header_rules);
    EXPECT_EACH(GATE_TO_SUPERVISOR, 0, begin_pong, header_rules);
}

#define IN(direction_) (UINT64_C(1) << DIRECTION_##direction_)
#define TO_EVERY_WORKER                                                                                               \
    (IN(SUPERVISOR_TO_WATCHER) | IN(SUPERVISOR_TO_NETADMIN) | IN(SUPERVISOR_TO_ANNOUNCER) |                           \
     IN(SUPERVISOR_TO_RESOLVER) | IN(SUPERVISOR_TO_CONTROL) | IN(SUPERVISOR_TO_EXPORTER) | IN(SUPERVISOR_TO_KEEPER) | \
     IN(SUPERVISOR_TO_GATE) | IN(SUPERVISOR_TO_WAY) | IN(SUPERVISOR_TO_NAMESPACES) | IN(SUPERVISOR_TO_LINKS) |        \
     IN(SUPERVISOR_TO_BANS))

/* One bit per direction in which the type may travel; a new type must be thought about here. */
static const uint64_t allowed[MESSAGE_TYPE_MAX_] = {
    [MESSAGE_PING] = TO_EVERY_WORKER,
    [MESSAGE_LINK] = TO_EVERY_WORKER & ~(IN(SUPERVISOR_TO_EXPORTER) | IN(SUPERVISOR_TO_GATE)),
    [MESSAGE_STOP] = TO_EVERY_WORKER,
    [MESSAGE_CONFIGURE_WATCHER] = IN(SUPERVISOR_TO_WATCHER),
    [MESSAGE_CONFIGURE_NETADMIN] = IN(SUPERVISOR_TO_NETADMIN),
    [MESSAGE_TOPOLOGY] = IN(SUPERVISOR_TO_NETADMIN) | IN(WATCHER_TO_SUPERVISOR) | IN(SUPERVISOR_TO_KEEPER),
    [MESSAGE_PONG] = IN(WATCHER_TO_SUPERVISOR) | IN(NETADMIN_TO_SUPERVISOR) | IN(ANNOUNCER_TO_SUPERVISOR) |
                     IN(RESOLVER_TO_SUPERVISOR) | IN(CONTROL_TO_SUPERVISOR) | IN(EXPORTER_TO_SUPERVISOR) |
                     IN(KEEPER_TO_SUPERVISOR) | IN(GATE_TO_SUPERVISOR) | IN(WAY_TO_SUPERVISOR) |
                     IN(NAMESPACES_TO_SUPERVISOR) | IN(LINKS_TO_SUPERVISOR) | IN(BANS_TO_SUPERVISOR),
    [MESSAGE_READINESS] =
        IN(WATCHER_TO_SUPERVISOR) | IN(NETADMIN_TO_SUPERVISOR) | IN(KEEPER_TO_SUPERVISOR) | IN(WAY_TO_SUPERVISOR),
    [MESSAGE_EXPOSURES_BEGIN] = IN(WATCHER_TO_NETADMIN),
    [MESSAGE_EXPOSURES_ITEMS] = IN(WATCHER_TO_NETADMIN),
    [MESSAGE_EXPOSURES_GUESTS] = IN(WATCHER_TO_NETADMIN),
    [MESSAGE_GUEST_TEXT] = IN(SUPERVISOR_TO_WATCHER),
    [MESSAGE_EXPOSURES_COMMIT] = IN(WATCHER_TO_NETADMIN),
    [MESSAGE_LINKS_BEGIN] = IN(NETADMIN_TO_WATCHER),
    [MESSAGE_LINKS_ITEMS] = IN(NETADMIN_TO_WATCHER),
    [MESSAGE_LINKS_COMMIT] = IN(NETADMIN_TO_WATCHER),
    [MESSAGE_MAP_BEGIN] = IN(NETADMIN_TO_WATCHER),
    [MESSAGE_MAP_ITEMS] = IN(NETADMIN_TO_WATCHER),
    [MESSAGE_MAP_COMMIT] = IN(NETADMIN_TO_WATCHER),
    [MESSAGE_APPLIED] = IN(NETADMIN_TO_WATCHER),
    [MESSAGE_CONFIGURE_ANNOUNCER] = IN(SUPERVISOR_TO_ANNOUNCER),
    [MESSAGE_RAW_SOCKET] = IN(SUPERVISOR_TO_ANNOUNCER),
    [MESSAGE_HELD_BEGIN] = IN(NETADMIN_TO_ANNOUNCER),
    [MESSAGE_HELD_ITEMS] = IN(NETADMIN_TO_ANNOUNCER),
    [MESSAGE_HELD_COMMIT] = IN(NETADMIN_TO_ANNOUNCER),
    [MESSAGE_PROBE] = IN(NETADMIN_TO_ANNOUNCER),
    [MESSAGE_PROBED] = IN(ANNOUNCER_TO_NETADMIN),
    [MESSAGE_CONTESTED] = IN(ANNOUNCER_TO_NETADMIN),
    [MESSAGE_ADVERTISED] = IN(ANNOUNCER_TO_NETADMIN),
    [MESSAGE_CONFIGURE_RESOLVER] = IN(SUPERVISOR_TO_RESOLVER),
    [MESSAGE_GATEWAYS] = IN(RESOLVER_TO_WAY),
    [MESSAGE_METRICS_PAGE] = TO_EVERY_WORKER & ~(IN(SUPERVISOR_TO_NAMESPACES) | IN(SUPERVISOR_TO_LINKS)),
    [MESSAGE_CONFIGURE_EXPORTER] = IN(SUPERVISOR_TO_EXPORTER),
    [MESSAGE_CONFIGURE_CONTROL] = IN(SUPERVISOR_TO_CONTROL),
    [MESSAGE_SUPERVISION] = IN(SUPERVISOR_TO_CONTROL),
    [MESSAGE_FINDINGS_BEGIN] = IN(WATCHER_TO_CONTROL) | IN(KEEPER_TO_CONTROL),
    [MESSAGE_FINDINGS_ITEMS] = IN(WATCHER_TO_CONTROL) | IN(KEEPER_TO_CONTROL),
    [MESSAGE_FINDINGS_COMMIT] = IN(WATCHER_TO_CONTROL) | IN(KEEPER_TO_CONTROL),
    [MESSAGE_COUNTERS_BEGIN] = IN(NETADMIN_TO_CONTROL),
    [MESSAGE_COUNTERS_ITEMS] = IN(NETADMIN_TO_CONTROL),
    [MESSAGE_COUNTERS_COMMIT] = IN(NETADMIN_TO_CONTROL),
    [MESSAGE_COUNTERS_WANTED] = IN(CONTROL_TO_NETADMIN) | IN(SUPERVISOR_TO_NETADMIN) | IN(EXPORTER_TO_SUPERVISOR),
    [MESSAGE_NETWORK_REPORT] = IN(NETADMIN_TO_CONTROL) | IN(WAY_TO_CONTROL),
    [MESSAGE_CONFIGURE_WAY] = IN(SUPERVISOR_TO_WAY),
    [MESSAGE_WAY_SOCKET] = IN(SUPERVISOR_TO_WAY) | IN(NAMESPACES_TO_WAY),
    [MESSAGE_CONFIGURE_NAMESPACES] = IN(SUPERVISOR_TO_NAMESPACES),
    [MESSAGE_NAMESPACE_WANTED] = IN(WATCHER_TO_NAMESPACES),
    [MESSAGE_NAMESPACE_LEFT] = IN(WATCHER_TO_NAMESPACES),
    [MESSAGE_NAMESPACES_COMMIT] = IN(WATCHER_TO_NAMESPACES) | IN(NAMESPACES_TO_WAY),
    [MESSAGE_NAMESPACE_ANSWER] = IN(NAMESPACES_TO_WATCHER),
    [MESSAGE_NAMESPACE_GONE] = IN(NAMESPACES_TO_WAY),
    [MESSAGE_CONFIGURE_LINKS] = IN(SUPERVISOR_TO_LINKS),
    [MESSAGE_LINKS_IDENTITY] = IN(SUPERVISOR_TO_LINKS) | IN(IDENTITY_TO_HOST),
    [MESSAGE_BRIDGES] = IN(WATCHER_TO_LINKS) | IN(SUPERVISOR_TO_LINKS) | IN(LINKS_TO_SUPERVISOR),
    [MESSAGE_GUARDED] = IN(WATCHER_TO_LINKS),
    [MESSAGE_WELCOME] = IN(HOST_TO_IDENTITY),
    [MESSAGE_HOST_WORKER_STARTED] = IN(HOST_TO_IDENTITY),
    [MESSAGE_MEETING_LINK] = IN(IDENTITY_TO_HOST),
    [MESSAGE_SHARED_LINKS] = IN(LINKS_TO_SUPERVISOR) | IN(HOST_TO_IDENTITY) | IN(SUPERVISOR_TO_NETADMIN),
    [MESSAGE_HOST_ADDRESSES] =
        IN(LINKS_TO_SUPERVISOR) | IN(HOST_TO_IDENTITY) | IN(SUPERVISOR_TO_NETADMIN) | IN(SUPERVISOR_TO_WATCHER),
    [MESSAGE_PROJECT_ADDRESSES] =
        IN(NETADMIN_TO_SUPERVISOR) | IN(IDENTITY_TO_HOST) | IN(SUPERVISOR_TO_LINKS) | IN(NETADMIN_TO_BANS),
    [MESSAGE_CONFIGURE_BANS] = IN(SUPERVISOR_TO_BANS),
    [MESSAGE_BAN_LISTENER] = IN(SUPERVISOR_TO_BANS),
    [MESSAGE_BANS_BEGIN] = IN(BANS_TO_NETADMIN) | IN(NETADMIN_TO_BANS),
    [MESSAGE_BAN_CHANGES_BEGIN] = IN(BANS_TO_NETADMIN),
    [MESSAGE_BANS_ITEMS] = IN(BANS_TO_NETADMIN) | IN(NETADMIN_TO_BANS),
    [MESSAGE_BANS_COMMIT] = IN(BANS_TO_NETADMIN) | IN(NETADMIN_TO_BANS),
    [MESSAGE_BANS_APPLIED] = IN(NETADMIN_TO_BANS),
    [MESSAGE_BAN_REQUEST] = IN(BANNER_TO_BANS),
    [MESSAGE_BAN_ANSWER] = IN(BANS_TO_BANNER),
    [MESSAGE_BANS_LISTED] = IN(BANS_TO_BANNER),
    [MESSAGE_LINK_ANSWER] = IN(LINKS_TO_WATCHER),
    [MESSAGE_LEASE_EVENT] = IN(LEASE_TO_SUPERVISOR),
    [MESSAGE_LEASE] = IN(SUPERVISOR_TO_NETADMIN),
    [MESSAGE_LEASE_APPLIED] = IN(NETADMIN_TO_SUPERVISOR),
    [MESSAGE_EXTERNAL_LINK] = IN(NETADMIN_TO_SUPERVISOR),
    [MESSAGE_DOCKER_CREDENTIAL] = IN(SUPERVISOR_TO_WATCHER) | IN(SUPERVISOR_TO_KEEPER),
    [MESSAGE_CONFIGURE_KEEPER] = IN(SUPERVISOR_TO_KEEPER),
    [MESSAGE_KEEPER_WANTED] = IN(WATCHER_TO_SUPERVISOR),
    [MESSAGE_MANAGED_TARGET] = IN(SUPERVISOR_TO_KEEPER),
    [MESSAGE_CONFIGURE_GATE] = IN(SUPERVISOR_TO_GATE),
    [MESSAGE_GATE_LISTENER] = IN(SUPERVISOR_TO_GATE),
};

static void every_type_travels_only_in_its_directions(void **state)
{
    (void)state;
    for (unsigned int type = 0; type <= MESSAGE_TYPE_MAX_; type++) {
        for (unsigned int direction = 0; direction < DIRECTION_MAX_; direction++) {
            const char *broken;
            bool may = type < MESSAGE_TYPE_MAX_ && allowed[type] & UINT64_C(1) << direction;

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
    begin_ping();
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1), "number of descriptors");
}

static const struct wire_link link_item = {.index = 2, .name = "eth0"};
static const struct wire_held held_item = {
    .index = 2,
    .name = "eth0",
    .mac = {{2, 0, 0, 0, 0, 1}},
    .address = {.family = 4, .bytes = {10, 99, 0, 50}},
};
static const struct wire_exposure exposure_item = {
    .family = 4,
    .protocol = IPPROTO_TCP,
    .port_first = 8000,
    .port_last = 8010,
    .backend_port_first = 9000,
    .backend = {172, 30, 0, 10},
    .access = EXPOSURE_OPEN,
};
static const struct wire_guest guest_item = {
    .kind = GUEST_PORTS, .protocol = IPPROTO_TCP, .port_first = 8000, .port_last = 8010};
static const struct wire_finding finding_item = {
    .kind = FINDING_EXPOSED,
    .protocol = IPPROTO_TCP,
    .port_first = 25,
    .port_last = 25,
    .backend_port_first = 25,
    .container = "mail",
};

/* Every message with items opens with its header and their number, like message_links. */
static const struct items_case {
    enum message_direction direction;
    enum message_type type;
    size_t head_size;
    const void *item;
    size_t item_size;
    uint32_t limit;
} cases[] = {
    {DIRECTION_NETADMIN_TO_WATCHER, MESSAGE_LINKS_ITEMS, sizeof(struct message_links), &link_item, sizeof(link_item),
     LINKS_PER_MESSAGE},
    {DIRECTION_NETADMIN_TO_ANNOUNCER, MESSAGE_HELD_ITEMS, sizeof(struct message_held), &held_item, sizeof(held_item),
     HELD_PER_MESSAGE},
    {DIRECTION_WATCHER_TO_CONTROL, MESSAGE_FINDINGS_ITEMS, sizeof(struct message_findings), &finding_item,
     sizeof(finding_item), FINDINGS_PER_MESSAGE},
    {DIRECTION_WATCHER_TO_NETADMIN, MESSAGE_EXPOSURES_GUESTS, sizeof(struct message_guests), &guest_item,
     sizeof(guest_item), GUESTS_PER_MESSAGE},
    {DIRECTION_WATCHER_TO_NETADMIN, MESSAGE_EXPOSURES_ITEMS, sizeof(struct message_exposures), &exposure_item,
     sizeof(exposure_item), EXPOSURES_PER_MESSAGE},
};

/* `said` is what the message calls their number. */
static const char *verdict_on(const struct items_case *items, uint32_t count, uint32_t said)
{
    begin(items->type, items->head_size + count * items->item_size);
    message.links.item_count = said;
    for (uint32_t i = 0; i < count; i++)
        memcpy(message.bytes + items->head_size + i * items->item_size, items->item, items->item_size);
    return verdict(items->direction, 0);
}

static void the_number_of_items_has_a_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const uint32_t wrong[][2] = {{cases[i].limit + 1, cases[i].limit + 1}, {0, 0}, {3, 2}, {3, 4}, {3, UINT32_MAX}};

        assert_null(verdict_on(&cases[i], 1, 1));
        assert_null(verdict_on(&cases[i], cases[i].limit, cases[i].limit));
        for (size_t j = 0; j < ARRAY_LENGTH(wrong); j++) {
            const char *broken = verdict_on(&cases[i], wrong[j][0], wrong[j][1]);

            assert_non_null(broken);
            assert_string_equal(broken, "length of this type");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_checked_field_by_field),
        cmocka_unit_test(every_type_travels_only_in_its_directions),
        cmocka_unit_test(descriptors_come_exactly_when_expected),
        cmocka_unit_test(the_number_of_items_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
