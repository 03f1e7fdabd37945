/*
 * Unit tests of the gate (protocol/validate): for every message one good example and one bad case per rule.
 * A guard that is removed from validate.c makes one of these fail.
 */
#include "tests/unit/validate_case.h"

#include "common/log.h"
#include "common/text.h"

#include <netinet/in.h>

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
     1 << DIRECTION_SUPERVISOR_TO_CONTROL | 1 << DIRECTION_SUPERVISOR_TO_EXPORTER)

static void every_type_travels_only_in_its_directions(void **state)
{
    /* One bit per direction in which the type may travel; a new type must be thought about here. */
    static const unsigned int allowed[MESSAGE_TYPE_MAX_] = {
        [MESSAGE_PING] = TO_EVERY_WORKER,
        [MESSAGE_LINK] = TO_EVERY_WORKER & ~(1 << DIRECTION_SUPERVISOR_TO_EXPORTER),
        [MESSAGE_STOP] = TO_EVERY_WORKER,
        [MESSAGE_CONFIGURE_WATCHER] = 1 << DIRECTION_SUPERVISOR_TO_WATCHER,
        [MESSAGE_CONFIGURE_NETADMIN] = 1 << DIRECTION_SUPERVISOR_TO_NETADMIN,
        [MESSAGE_TOPOLOGY] = 1 << DIRECTION_SUPERVISOR_TO_NETADMIN | 1 << DIRECTION_WATCHER_TO_SUPERVISOR,
        [MESSAGE_PONG] = 1 << DIRECTION_WATCHER_TO_SUPERVISOR | 1 << DIRECTION_NETADMIN_TO_SUPERVISOR |
                         1 << DIRECTION_ANNOUNCER_TO_SUPERVISOR | 1 << DIRECTION_RESOLVER_TO_SUPERVISOR |
                         1 << DIRECTION_CONTROL_TO_SUPERVISOR | 1 << DIRECTION_EXPORTER_TO_SUPERVISOR,
        [MESSAGE_READINESS] = 1 << DIRECTION_WATCHER_TO_SUPERVISOR | 1 << DIRECTION_NETADMIN_TO_SUPERVISOR,
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
        [MESSAGE_CONFIGURE_RESOLVER] = 1 << DIRECTION_SUPERVISOR_TO_RESOLVER,
        [MESSAGE_GATEWAYS] = 1 << DIRECTION_RESOLVER_TO_NETADMIN,
        [MESSAGE_METRICS_PAGE] = TO_EVERY_WORKER,
        [MESSAGE_CONFIGURE_EXPORTER] = 1 << DIRECTION_SUPERVISOR_TO_EXPORTER,
        [MESSAGE_CONFIGURE_CONTROL] = 1 << DIRECTION_SUPERVISOR_TO_CONTROL,
        [MESSAGE_SUPERVISION] = 1 << DIRECTION_SUPERVISOR_TO_CONTROL,
        [MESSAGE_FINDINGS_BEGIN] = 1 << DIRECTION_WATCHER_TO_CONTROL,
        [MESSAGE_FINDINGS_ITEMS] = 1 << DIRECTION_WATCHER_TO_CONTROL,
        [MESSAGE_FINDINGS_COMMIT] = 1 << DIRECTION_WATCHER_TO_CONTROL,
        [MESSAGE_NETWORK_REPORT] = 1 << DIRECTION_NETADMIN_TO_CONTROL,
        [MESSAGE_LEASE_EVENT] = 1 << DIRECTION_LEASE_TO_SUPERVISOR,
        [MESSAGE_LEASE] = 1 << DIRECTION_SUPERVISOR_TO_NETADMIN,
        [MESSAGE_LEASE_APPLIED] = 1 << DIRECTION_NETADMIN_TO_SUPERVISOR,
        [MESSAGE_EXTERNAL_LINK] = 1 << DIRECTION_NETADMIN_TO_SUPERVISOR,
        [MESSAGE_DOCKER_CREDENTIAL] = 1 << DIRECTION_SUPERVISOR_TO_WATCHER,
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

static void begin_watcher_configuration(void)
{
    begin(MESSAGE_CONFIGURE_WATCHER, sizeof(struct message_configure_watcher));
    assert_int_equal(text_copy(message.watcher.docker_host, DOCKER_HOST_SIZE, "unix:///var/run/docker.sock"), 0);
    assert_int_equal(text_copy(message.watcher.project, NAME_SIZE, "mail"), 0);
    message.watcher.poll_interval_milliseconds = 30000;
}

static void the_watchers_configuration_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_WATCHER;

    (void)state;
    begin_watcher_configuration();
    assert_null(verdict(direction, 0));
    memset(message.watcher.shared_network, 'x', NAME_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
    begin_watcher_configuration();
    memset(message.watcher.external_interface, 'x', INTERFACE_NAME_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
    begin_watcher_configuration();
    message.watcher.project[0] = '\0';
    EXPECT_BROKEN(direction, "no scope");
    assert_int_equal(text_copy(message.watcher.label_selector, LABEL_SELECTOR_SIZE, "a=b, c="), 0);
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 0));
    assert_int_equal(text_copy(message.watcher.label_selector, LABEL_SELECTOR_SIZE, "a"), 0);
    EXPECT_BROKEN(direction, "label selector");
    begin_watcher_configuration();
    message.watcher.poll_interval_milliseconds = 0;
    EXPECT_BROKEN(direction, "poll interval");
    begin_watcher_configuration();
    message.watcher.log_level = 4;
    EXPECT_BROKEN(direction, "log level");
}

static void credentials_for_docker_are_checked(void **state)
{
    struct message_docker_credential *credential = (struct message_docker_credential *)&message;

    (void)state;
    begin(MESSAGE_DOCKER_CREDENTIAL, sizeof(*credential));
    credential->kind = DOCKER_CREDENTIAL_KEY;
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1));
    credential->kind = DOCKER_CREDENTIAL_MAX_;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1), "kind of credential");
}

static void begin_netadmin_configuration(void)
{
    begin(MESSAGE_CONFIGURE_NETADMIN, sizeof(struct message_configure_netadmin));
    message.netadmin.address_mode = ADDRESS_MODE_BOOTSTRAP;
    message.netadmin.role = ANCHOR_ROLE_NETWORK;
    message.netadmin.pinned_gateway4 = (struct wire_address){.family = 4, .bytes = {10, 99, 0, 1}};
}

static void netadmins_configuration_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_NETADMIN;

    (void)state;
    begin_netadmin_configuration();
    assert_null(verdict(direction, 0));
    message.netadmin.pinned_gateway4.bytes[4] = 1;
    EXPECT_BROKEN(direction, "address padding not zero");
    begin_netadmin_configuration();
    message.netadmin.pinned_gateway4.family = 5;
    EXPECT_BROKEN(direction, "address family");
    begin_netadmin_configuration();
    message.netadmin.pinned_gateway6 = message.netadmin.pinned_gateway4;
    EXPECT_BROKEN(direction, "pinned gateway of the other family");
    begin_netadmin_configuration();
    message.netadmin.address_mode = 0;
    EXPECT_BROKEN(direction, "address mode");
    begin_netadmin_configuration();
    message.netadmin.claim_gateway = 2;
    EXPECT_BROKEN(direction, "claim_gateway");
    begin_netadmin_configuration();
    message.netadmin.role = 0;
    EXPECT_BROKEN(direction, "role");
    message.netadmin.role = ANCHOR_ROLE_MAX_;
    EXPECT_BROKEN(direction, "role");
    begin_netadmin_configuration();
    message.netadmin.log_level = 4;
    EXPECT_BROKEN(direction, "log level");
}

static void begin_topology(void)
{
    begin(MESSAGE_TOPOLOGY, sizeof(struct message_topology));
    message.topology.external.mac.bytes[5] = 1;
    message.topology.shared.mac.bytes[5] = 2;
    message.topology.shared.subnet_count = 1;
    message.topology.shared.subnets[0] = (struct wire_subnet){
        .address = {.family = 4, .bytes = {172, 30, 0, 0}},
        .prefix_length = 24,
        .auxiliary_gateway = {.family = 4, .bytes = {172, 30, 0, 2}},
    };
}

static void the_topology_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_NETADMIN;
    struct wire_subnet *subnet = &message.topology.shared.subnets[0];

    (void)state;
    begin_topology();
    assert_null(verdict(direction, 0));
    message.topology.shared.mac = message.topology.external.mac;
    EXPECT_BROKEN(direction, "external and shared network have the same MAC address");
    begin_topology();
    message.topology.external.mac.bytes[5] = 0;
    EXPECT_BROKEN(direction, "MAC address zero");
    begin_topology();
    message.topology.shared.subnet_count = SUBNETS_MAX + 1;
    EXPECT_BROKEN(direction, "subnet count");
    begin_topology();
    memset(message.topology.external.name, 'x', NAME_SIZE);
    EXPECT_BROKEN(direction, "network name not terminated");
    begin_topology();
    subnet->prefix_length = 33;
    EXPECT_BROKEN(direction, "prefix length");
    begin_topology();
    subnet->address.family = 0;
    EXPECT_BROKEN(direction, "address family");
    begin_topology();
    message.topology.is_final = 1;
    assert_null(verdict(direction, 0));
    message.topology.is_final = 2;
    EXPECT_BROKEN(direction, "finality");
    begin_topology();
    subnet->gateway = (struct wire_address){.family = 6, .bytes = {0xfd}};
    EXPECT_BROKEN(direction, "gateway of another family than its subnet");
    begin_topology();
    subnet->auxiliary_gateway.reserved[1] = 1;
    EXPECT_BROKEN(direction, "address padding not zero");
    begin_topology();
    subnet->reserved[0] = 1;
    EXPECT_BROKEN(direction, "subnet padding not zero");
}

static void begin_exposures(uint32_t count)
{
    begin(MESSAGE_EXPOSURES_ITEMS, sizeof(struct message_exposures) + count * sizeof(struct wire_exposure));
    message.exposures.item_count = count;
    for (uint32_t i = 0; i < count; i++)
        message.exposures.items[i] = (struct wire_exposure){
            .family = 4,
            .protocol = IPPROTO_TCP,
            .port_first = 8000,
            .port_last = 8010,
            .backend_port_first = 9000,
            .backend = {172, 30, 0, 10},
            .access = EXPOSURE_OPEN,
        };
}

static void exposures_are_checked_item_by_item(void **state)
{
    const enum message_direction direction = DIRECTION_WATCHER_TO_NETADMIN;
    struct wire_exposure *last = &message.exposures.items[2];

    (void)state;
    begin_exposures(3);
    assert_null(verdict(direction, 0));
    last->family = 0;
    EXPECT_BROKEN(direction, "exposure family");
    begin_exposures(3);
    last->protocol = IPPROTO_SCTP;
    EXPECT_BROKEN(direction, "exposure protocol");
    begin_exposures(3);
    last->port_first = 0;
    EXPECT_BROKEN(direction, "exposure ports");
    begin_exposures(3);
    last->port_last = 7999;
    EXPECT_BROKEN(direction, "exposure ports");
    begin_exposures(3);
    last->backend_port_first = 0;
    EXPECT_BROKEN(direction, "exposure backend ports");
    begin_exposures(3);
    last->backend_port_first = 65525; /* 65525 + 10 is the last port */
    assert_null(verdict(direction, 0));
    last->backend_port_first = 65526;
    EXPECT_BROKEN(direction, "exposure backend ports");
    begin_exposures(3);
    last->backend[4] = 1;
    EXPECT_BROKEN(direction, "exposure padding not zero");
    begin_exposures(3);
    last->access = EXPOSURE_WITHHELD;
    assert_null(verdict(direction, 0));
    last->access = 0;
    EXPECT_BROKEN(direction, "exposure access");
    last->access = EXPOSURE_ACCESS_MAX_;
    EXPECT_BROKEN(direction, "exposure access");
    begin_exposures(3);
    last->reserved[2] = 1;
    EXPECT_BROKEN(direction, "exposure padding not zero");
}

static void the_number_of_items_has_a_limit(void **state)
{
    (void)state;
    begin_exposures(EXPOSURES_PER_MESSAGE);
    assert_null(verdict(DIRECTION_WATCHER_TO_NETADMIN, 0));
    begin_exposures(EXPOSURES_PER_MESSAGE + 1);
    EXPECT_BROKEN(DIRECTION_WATCHER_TO_NETADMIN, "length of this type");
    begin_exposures(0);
    EXPECT_BROKEN(DIRECTION_WATCHER_TO_NETADMIN, "length of this type");
    begin_exposures(3);
    message.exposures.item_count = 2; /* says fewer than travel */
    EXPECT_BROKEN(DIRECTION_WATCHER_TO_NETADMIN, "length of this type");
    message.exposures.item_count = 4;
    EXPECT_BROKEN(DIRECTION_WATCHER_TO_NETADMIN, "length of this type");
    message.exposures.item_count = UINT32_MAX;
    EXPECT_BROKEN(DIRECTION_WATCHER_TO_NETADMIN, "length of this type");
}

static void begin_links(void)
{
    begin(MESSAGE_LINKS_ITEMS, sizeof(struct message_links) + sizeof(struct wire_link));
    message.links.item_count = 1;
    message.links.items[0] = (struct wire_link){.index = 2, .name = "eth0", .address_count = 1};
    message.links.items[0].addresses[0] = (struct wire_link_address){
        .address = {.family = 4, .bytes = {10, 99, 0, 50}},
        .prefix_length = 24,
    };
}

static void links_are_checked_item_by_item(void **state)
{
    const enum message_direction direction = DIRECTION_NETADMIN_TO_WATCHER;
    struct wire_link *link = &message.links.items[0];

    (void)state;
    begin_links();
    assert_null(verdict(direction, 0));
    link->index = 0;
    EXPECT_BROKEN(direction, "interface index");
    begin_links();
    link->name[0] = '\0';
    EXPECT_BROKEN(direction, "interface name");
    begin_links();
    memset(link->name, 'x', sizeof(link->name));
    EXPECT_BROKEN(direction, "interface name");
    begin_links();
    link->ipv6_flags = LINK_IPV6_ALL_ + 1;
    EXPECT_BROKEN(direction, "link flags");
    begin_links();
    link->address_count = LINK_ADDRESSES_MAX;
    for (uint32_t i = 1; i < LINK_ADDRESSES_MAX; i++)
        link->addresses[i] = link->addresses[0];
    assert_null(verdict(direction, 0));
    link->address_count = LINK_ADDRESSES_MAX + 1;
    EXPECT_BROKEN(direction, "address count");
    begin_links();
    link->addresses[0].prefix_length = 33;
    EXPECT_BROKEN(direction, "prefix length");
    begin_links();
    link->addresses[0].address.family = 0;
    EXPECT_BROKEN(direction, "address family");
    begin_links();
    link->addresses[0].reserved[2] = 1;
    EXPECT_BROKEN(direction, "address padding not zero");
    begin_links();
    message.links.reserved = 1;
    EXPECT_BROKEN(direction, "reserved field not zero");
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
    begin_held();
    held->name[0] = '\0';
    EXPECT_BROKEN(direction, "interface name");
    memset(held->name, 'x', sizeof(held->name));
    EXPECT_BROKEN(direction, "interface name");
    begin_held();
    held->mac = (struct mac_address){{0}};
    EXPECT_BROKEN(direction, "MAC address zero");
    begin_held();
    held->reserved[1] = 1;
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

static void begin_gateways(void)
{
    begin(MESSAGE_GATEWAYS, sizeof(struct message_gateways));
    message.gateways.v4 = (struct wire_lookup){.outcome = LOOKUP_ANSWERED, .count = 1};
    message.gateways.v4.addresses[0] = good_held.address;
    message.gateways.v6.outcome = LOOKUP_FAILED;
}

static void the_resolvers_messages_are_checked(void **state)
{
    const enum message_direction direction = DIRECTION_RESOLVER_TO_NETADMIN;

    (void)state;
    begin_gateways();
    assert_null(verdict(direction, 0));
    message.gateways.v6.outcome = LOOKUP_OUTCOME_MAX_;
    EXPECT_BROKEN(direction, "look-up outcome");
    begin_gateways();
    message.gateways.v4.outcome = LOOKUP_FAILED; /* and yet an address */
    EXPECT_BROKEN(direction, "look-up count");
    begin_gateways();
    message.gateways.v4.count = GATEWAYS_MAX;
    for (uint32_t i = 1; i < GATEWAYS_MAX; i++)
        message.gateways.v4.addresses[i] = good_held.address;
    assert_null(verdict(direction, 0));
    message.gateways.v4.count = GATEWAYS_MAX + 1;
    EXPECT_BROKEN(direction, "look-up count");
    begin_gateways();
    message.gateways.v4.count = 2; /* the second one is missing */
    EXPECT_BROKEN(direction, "look-up address family");
    begin_gateways();
    message.gateways.v4.count = 0; /* one too many */
    EXPECT_BROKEN(direction, "look-up address family");
    begin_gateways();
    message.gateways.v4.addresses[0].bytes[4] = 1;
    EXPECT_BROKEN(direction, "address padding not zero");

    begin(MESSAGE_CONFIGURE_RESOLVER, sizeof(struct message_configure_resolver));
    message.resolver.interval_milliseconds = 5000;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_RESOLVER, "host name");
    memset(message.resolver.host_name, 'x', HOST_NAME_SIZE);
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_RESOLVER, "host name");
    message.resolver.host_name[HOST_NAME_SIZE - 1] = '\0';
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_RESOLVER, 0));
    message.resolver.interval_milliseconds = 0;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_RESOLVER, "interval");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_checked_field_by_field),
        cmocka_unit_test(every_type_travels_only_in_its_directions),
        cmocka_unit_test(descriptors_come_exactly_when_expected),
        cmocka_unit_test(stop_and_readiness_know_their_values),
        cmocka_unit_test(the_watchers_configuration_is_checked),
        cmocka_unit_test(credentials_for_docker_are_checked),
        cmocka_unit_test(netadmins_configuration_is_checked),
        cmocka_unit_test(the_topology_is_checked),
        cmocka_unit_test(exposures_are_checked_item_by_item),
        cmocka_unit_test(the_number_of_items_has_a_limit),
        cmocka_unit_test(links_are_checked_item_by_item),
        cmocka_unit_test(answers_are_checked),
        cmocka_unit_test(held_addresses_are_checked),
        cmocka_unit_test(the_announcers_messages_are_checked),
        cmocka_unit_test(the_metrics_messages_are_checked),
        cmocka_unit_test(the_resolvers_messages_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
