/*
 * Unit tests of the gate (protocol/validate), topology, exposures and links: one good example and one
 * bad case per rule. Run by meson test, without any privilege.
 */
#include "tests/unit/validate_case.h"

#include <netinet/in.h>

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
    message.topology.shared.subnet_count = SUBNETS_MAX;
    for (size_t i = 1; i < SUBNETS_MAX; i++)
        message.topology.shared.subnets[i] = *subnet;
    assert_null(verdict(direction, 0));
    subnet[SUBNETS_MAX - 1].prefix_length = 33;
    EXPECT_BROKEN(direction, "prefix length");
    begin_topology();
    message.topology.shared.own4 = (struct wire_address){.family = 6, .bytes = {0xfd}};
    EXPECT_BROKEN(direction, "own address");
    message.topology.shared.own4 = (struct wire_address){.family = 5};
    EXPECT_BROKEN(direction, "own address");
    begin_topology();
    message.topology.shared.own6 = (struct wire_address){.family = 4, .bytes = {172, 30, 0, 3}};
    EXPECT_BROKEN(direction, "own address");
    message.topology.shared.own6 = (struct wire_address){.family = 5};
    EXPECT_BROKEN(direction, "own address");
    begin_topology();
    memset(message.topology.external.name, 'x', NAME_SIZE);
    EXPECT_BROKEN(direction, "network name not terminated");
    begin_topology();
    subnet->prefix_length = 33;
    EXPECT_BROKEN(direction, "prefix length");
    subnet->prefix_length = 32;
    assert_null(verdict(direction, 0));
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
    last->port_last = 8000;
    assert_null(verdict(direction, 0));
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
    link->addresses[0].prefix_length = 32;
    assert_null(verdict(direction, 0));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_topology_is_checked),
        cmocka_unit_test(exposures_are_checked_item_by_item),
        cmocka_unit_test(the_number_of_items_has_a_limit),
        cmocka_unit_test(links_are_checked_item_by_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
