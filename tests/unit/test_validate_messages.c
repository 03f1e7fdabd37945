/*
 * Unit tests of the gate (protocol/validate): what is in the messages of watcher, netadmin, announcer, resolver and
 * exporter, a row per rule. A guard that is removed from there makes one of these fail.
 */
#include "tests/unit/validate_case.h"

#include "common/log.h"

#include <netinet/in.h>

#define LAN4 .family = IP_FAMILY_4, .bytes = {192, 0, 2, 7}
#define LAN6 .family = IP_FAMILY_6, .bytes = {0xfd}

/* --- any worker ------------------------------------------------------------------------------------- */

static void begin_link(void)
{
    begin(MESSAGE_LINK, sizeof(struct message_link));
    message.link.peer = LINK_PEER_NETADMIN;
}

static const struct rule_case link_rules[] = {
    PASSES(SET(link.peer, LINK_PEER_MAX_ - 1)),
    BREAKS("peer", SET(link.peer, LINK_PEER_MAX_)),
    BREAKS("peer", SET(link.peer, 0)),
    BREAKS("peer", SET(link.reserved, 1)),
};

static void begin_stop(void)
{
    begin(MESSAGE_STOP, sizeof(struct message_stop));
    message.stop.mode = STOP_TEAR_DOWN;
}

static const struct rule_case stop_rules[] = {
    PASSES(SET(stop.mode, STOP_MODE_MAX_ - 1)),
    BREAKS("stop mode", SET(stop.mode, 0)),
    BREAKS("stop mode", SET(stop.mode, STOP_MODE_MAX_)),
    BREAKS("stop mode", SET(stop.reserved, 1)),
};

static void begin_readiness(void)
{
    begin(MESSAGE_READINESS, sizeof(struct message_readiness));
}

static const struct rule_case readiness_rules[] = {
    PASSES(SET(readiness.conditions, READINESS_ALL_)),
    BREAKS("conditions", SET(readiness.conditions, READINESS_ALL_ + 1)),
    BREAKS("conditions", SET(readiness.reserved, 1)),
};

static void begin_metrics_page(void)
{
    begin(MESSAGE_METRICS_PAGE, sizeof(struct message_metrics_page));
    message.metrics_page.access = METRICS_ACCESS_WRITE;
}

static const struct rule_case own_page_rules[] = {
    BREAKS("metrics access", SET(metrics_page.access, 0)),
    BREAKS("metrics access", SET(metrics_page.access, METRICS_ACCESS_READ)), /* others' are for the exporter alone */
    BREAKS("metrics writer", SET(metrics_page.writer, METRICS_WRITER_MAX_)),
    PASSES(SET(metrics_page.writer, METRICS_WRITER_MAX_ - 1)),
};

static const struct rule_case any_page_rules[] = {
    PASSES(SET(metrics_page.access, METRICS_ACCESS_READ)),
    BREAKS("metrics access", SET(metrics_page.access, METRICS_ACCESS_MAX_)),
    BREAKS("metrics writer", SET(metrics_page.access, METRICS_ACCESS_READ),
           SET(metrics_page.writer, METRICS_WRITER_MAX_)),
};

static void what_every_worker_hears_and_says_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_WATCHER, 1, begin_link, link_rules);
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_stop, stop_rules);
    EXPECT_EACH(WATCHER_TO_SUPERVISOR, 0, begin_readiness, readiness_rules);
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 1, begin_metrics_page, own_page_rules);
    EXPECT_EACH(SUPERVISOR_TO_EXPORTER, 1, begin_metrics_page, any_page_rules);
}

/* --- first messages --------------------------------------------------------------------------------- */

static void begin_configure_watcher(void)
{
    begin(MESSAGE_CONFIGURE_WATCHER, sizeof(struct message_configure_watcher));
    memcpy(message.watcher.docker_host, "unix:///var/run/docker.sock", 28);
    memcpy(message.watcher.asked_at, "unix:///run/anchord/gate/watcher", 33);
    memcpy(message.watcher.project, "mail", 5);
    message.watcher.address_mode = ADDRESS_MODE_BOOTSTRAP;
    message.watcher.poll_interval_milliseconds = 30000;
}

static const struct rule_case watcher_rules[] = {
    BREAKS("string not terminated", FILL(watcher.docker_host)),
    BREAKS("string not terminated", FILL(watcher.asked_at)),
    BREAKS("string not terminated", FILL(watcher.project)),
    BREAKS("string not terminated", FILL(watcher.label_selector)),
    BREAKS("string not terminated", FILL(watcher.external_network)),
    BREAKS("string not terminated", FILL(watcher.external_interface)),
    BREAKS("string not terminated", FILL(watcher.shared_network)),
    BREAKS("empty string", SET(watcher.docker_host[0], '\0')),
    BREAKS("empty string", SET(watcher.asked_at[0], '\0')),
    BREAKS("no scope", SET(watcher.project[0], '\0')),
    PASSES(SET(watcher.project[0], '\0'), TEXT(watcher.label_selector, "a=b, c=")),
    BREAKS("label selector", TEXT(watcher.label_selector, "a")),
    PASSES(SET(watcher.pinned_gateway4, LAN4)),
    BREAKS("pinned gateway", SET(watcher.pinned_gateway4, LAN6)),
    BREAKS("pinned gateway", SET(watcher.pinned_gateway4.family, 5)),
    BREAKS("address mode", SET(watcher.address_mode, 0)),
    BREAKS("address mode", SET(watcher.address_mode, ADDRESS_MODE_MAX_)),
    PASSES(SET(watcher.address_mode, ADDRESS_MODE_MAX_ - 1)),
    BREAKS("poll interval", SET(watcher.poll_interval_milliseconds, 0)),
    BREAKS("log level", SET(watcher.log_level, LOG_LEVEL_MAX_)),
    PASSES(SET(watcher.log_level, LOG_LEVEL_MAX_ - 1)),
    PASSES(SET(watcher.is_attached, 1), SET(watcher.expose_from, EXPOSE_FROM_ALL_)),
    BREAKS("attachment", SET(watcher.is_attached, 2), SET(watcher.expose_from, 1)),
    BREAKS("attachment", SET(watcher.is_attached, 1)),
    BREAKS("attachment", SET(watcher.expose_from, EXPOSE_FROM_LABELS)),
    BREAKS("attachment", SET(watcher.is_attached, 1), SET(watcher.expose_from, EXPOSE_FROM_ALL_ + 1)),
};

static void begin_credential(void)
{
    begin(MESSAGE_DOCKER_CREDENTIAL, sizeof(struct message_docker_credential));
    message.credential.kind = DOCKER_CREDENTIAL_KEY;
}

static const struct rule_case credential_rules[] = {
    BREAKS("kind of credential", SET(credential.kind, 0)),
    BREAKS("kind of credential", SET(credential.kind, DOCKER_CREDENTIAL_MAX_)),
    BREAKS("kind of credential", SET(credential.reserved, 1)),
};

static void begin_configure_netadmin(void)
{
    begin(MESSAGE_CONFIGURE_NETADMIN, sizeof(struct message_configure_netadmin));
    message.netadmin.address_mode = ADDRESS_MODE_BOOTSTRAP;
    message.netadmin.pinned_gateway4 = (struct wire_address){LAN4};
}

#define ATTACHED_BY_HOST                                                                         \
    SET(netadmin.is_attached, 1), SET(netadmin.next_hop, LAN4), SET(netadmin.via_host_count, 1), \
        SET(netadmin.via_host[0].address, LAN4)

static const struct rule_case netadmin_rules[] = {
    PASSES(SET(netadmin.pinned_gateway6, LAN6)),
    PASSES(SET(netadmin.is_attached, 1), SET(netadmin.next_hop, LAN4)),
    BREAKS("attachment", SET(netadmin.is_attached, 2), SET(netadmin.next_hop, LAN4)),
    BREAKS("attachment", SET(netadmin.is_attached, 1)),
    BREAKS("attachment", SET(netadmin.next_hop, LAN4)),
    BREAKS("attachment", SET(netadmin.is_attached, 1), SET(netadmin.next_hop, LAN6)),
    BREAKS("attachment", SET(netadmin.is_attached, 1), SET(netadmin.next_hop.family, 5)),
    BREAKS("address padding not zero", SET(netadmin.pinned_gateway4.bytes[4], 1)),
    BREAKS("address padding not zero", SET(netadmin.pinned_gateway4.bytes[15], 1)),
    BREAKS("address padding not zero", SET(netadmin.pinned_gateway4.reserved[2], 1)),
    BREAKS("address family", SET(netadmin.pinned_gateway4.family, 5)),
    BREAKS("address family", SET(netadmin.pinned_gateway6.family, 5)),
    BREAKS("pinned gateway of the other family", SET(netadmin.pinned_gateway6, LAN4)),
    BREAKS("pinned gateway of the other family", SET(netadmin.pinned_gateway4, LAN6)),
    BREAKS("address mode", SET(netadmin.address_mode, 0)),
    BREAKS("address mode", SET(netadmin.address_mode, ADDRESS_MODE_MAX_)),
    PASSES(SET(netadmin.address_mode, ADDRESS_MODE_MAX_ - 1)),
    PASSES(SET(netadmin.claim_gateway, 1)),
    BREAKS("claim_gateway", SET(netadmin.claim_gateway, 2)),
    BREAKS("number of subnets", SET(netadmin.via_host_count, 1), SET(netadmin.via_host[0].address, LAN4)),
    PASSES(ATTACHED_BY_HOST),
    BREAKS("number of subnets", ATTACHED_BY_HOST, SET(netadmin.via_host_count, VIA_HOST_MAX + 1)),
    BREAKS("prefix length", ATTACHED_BY_HOST, SET(netadmin.via_host[0].prefix_length, 33)),
    BREAKS("padding not zero", ATTACHED_BY_HOST, SET(netadmin.via_host_count, 0)),
    BREAKS("log level", SET(netadmin.log_level, LOG_LEVEL_MAX_)),
    PASSES(SET(netadmin.log_level, LOG_LEVEL_MAX_ - 1)),
};

static void begin_configure_announcer(void)
{
    begin(MESSAGE_CONFIGURE_ANNOUNCER, sizeof(struct message_configure_announcer));
}

static const struct rule_case announcer_rules[] = {
    BREAKS("log level", SET(announcer.log_level, LOG_LEVEL_MAX_)),
    PASSES(SET(announcer.log_level, LOG_LEVEL_MAX_ - 1)),
    BREAKS("log level", SET(announcer.reserved, 1)),
};

static void begin_raw_socket(void)
{
    begin(MESSAGE_RAW_SOCKET, sizeof(struct message_raw_socket));
    message.raw_socket.kind = RAW_SOCKET_ARP;
}

static const struct rule_case raw_socket_rules[] = {
    BREAKS("kind of socket", SET(raw_socket.kind, 0)),
    BREAKS("kind of socket", SET(raw_socket.kind, RAW_SOCKET_MAX_)),
    PASSES(SET(raw_socket.kind, RAW_SOCKET_MAX_ - 1)),
    BREAKS("kind of socket", SET(raw_socket.reserved, 1)),
};

static void begin_configure_exporter(void)
{
    begin(MESSAGE_CONFIGURE_EXPORTER, sizeof(struct message_configure_exporter));
}

static const struct rule_case exporter_rules[] = {
    BREAKS("log level", SET(exporter.log_level, LOG_LEVEL_MAX_)),
    PASSES(SET(exporter.log_level, LOG_LEVEL_MAX_ - 1)),
    BREAKS("reserved field not zero", SET(exporter.reserved, 1)),
};

static void begin_configure_resolver(void)
{
    begin(MESSAGE_CONFIGURE_RESOLVER, sizeof(struct message_configure_resolver));
    message.resolver.interval_milliseconds = 5000;
    memset(message.resolver.host_name, 'x', HOST_NAME_SIZE - 1);
}

static const struct rule_case resolver_rules[] = {
    BREAKS("host name", SET(resolver.host_name[0], '\0')),
    BREAKS("host name", FILL(resolver.host_name)),
    BREAKS("padding not zero", SET(resolver.reserved[0], 1)),
    BREAKS("interval", SET(resolver.interval_milliseconds, 0)),
    BREAKS("log level", SET(resolver.log_level, LOG_LEVEL_MAX_)),
    PASSES(SET(resolver.log_level, LOG_LEVEL_MAX_ - 1)),
};

static void every_workers_first_messages_are_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_WATCHER, 0, begin_configure_watcher, watcher_rules);
    EXPECT_EACH(SUPERVISOR_TO_WATCHER, 1, begin_credential, credential_rules);
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_configure_netadmin, netadmin_rules);
    EXPECT_EACH(SUPERVISOR_TO_ANNOUNCER, 0, begin_configure_announcer, announcer_rules);
    EXPECT_EACH(SUPERVISOR_TO_ANNOUNCER, 1, begin_raw_socket, raw_socket_rules);
    EXPECT_EACH(SUPERVISOR_TO_EXPORTER, 1, begin_configure_exporter, exporter_rules);
    EXPECT_EACH(SUPERVISOR_TO_RESOLVER, 0, begin_configure_resolver, resolver_rules);
}

/* --- watcher and netadmin ---------------------------------------------------------------------------- */

static void begin_topology(void)
{
    begin(MESSAGE_TOPOLOGY, sizeof(struct message_topology));
    message.topology.external.mac.bytes[5] = 1;
    message.topology.shared.mac.bytes[5] = 2;
    message.topology.shared.subnet_count = SUBNETS_MAX;
    for (size_t i = 0; i < SUBNETS_MAX; i++)
        message.topology.shared.subnets[i] = (struct wire_subnet){
            .address = {.family = 4, .bytes = {172, 30, 0, 0}},
            .prefix_length = 24,
            .auxiliary_gateway = {.family = 4, .bytes = {172, 30, 0, 2}},
        };
}

static const struct rule_case topology_rules[] = {
    BREAKS("the LAN's network and transit have the same MAC address", SET(topology.shared.mac.bytes[5], 1)),
    BREAKS("MAC address zero", SET(topology.external.mac.bytes[5], 0)),
    BREAKS("network name not terminated", FILL(topology.external.name)),
    BREAKS("network padding not zero", SET(topology.shared.reserved[1], 1)),
    PASSES(SET(topology.shared.subnet_count, 0)),
    BREAKS("subnet count", SET(topology.shared.subnet_count, SUBNETS_MAX + 1)),
    PASSES(SET(topology.shared.own4, LAN4), SET(topology.shared.own6, LAN6)),
    BREAKS("own address", SET(topology.shared.own4, LAN6)),
    BREAKS("own address", SET(topology.shared.own4.family, 5)),
    BREAKS("own address", SET(topology.shared.own6, LAN4)),
    BREAKS("own address", SET(topology.shared.own6.family, 5)),
    BREAKS("prefix length", SET(topology.shared.subnets[SUBNETS_MAX - 1].prefix_length, 33)),
    PASSES(SET(topology.shared.subnets[0].prefix_length, 32)),
    BREAKS("address family", SET(topology.shared.subnets[0].address, 0)),
    BREAKS("address family", SET(topology.shared.subnets[0].gateway.family, 5)),
    PASSES(SET(topology.shared.subnets[0].gateway, LAN4), SET(topology.shared.subnets[0].auxiliary_gateway, 0)),
    BREAKS("gateway of another family than its subnet", SET(topology.shared.subnets[0].gateway, LAN6)),
    BREAKS("gateway of another family than its subnet", SET(topology.shared.subnets[0].auxiliary_gateway, LAN6)),
    BREAKS("address padding not zero", SET(topology.shared.subnets[0].auxiliary_gateway.reserved[1], 1)),
    BREAKS("subnet padding not zero", SET(topology.shared.subnets[0].reserved[0], 1)),
    PASSES(SET(topology.is_final, 1)),
    BREAKS("finality", SET(topology.is_final, 2)),
    BREAKS("finality", SET(topology.reserved, 1)),
};

static void begin_topology_without_shared_network(void)
{
    begin(MESSAGE_TOPOLOGY, sizeof(struct message_topology));
    message.topology.external.mac.bytes[5] = 1;
    message.topology.is_final = 1;
}

static const struct rule_case topology_without_shared_network_rules[] = {
    BREAKS("finality", SET(topology.is_final, 0)),
    BREAKS("finality", SET(topology.reserved, 1)),
    BREAKS("MAC address zero", SET(topology.external.mac.bytes[5], 0)),
    BREAKS("MAC address zero", SET(topology.shared.name[0], 'x')),
};

static void the_topology_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_topology, topology_rules);
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_topology_without_shared_network,
                topology_without_shared_network_rules);
    begin_topology_without_shared_network();
    assert_string_equal(verdict(DIRECTION_WATCHER_TO_SUPERVISOR, 0), "MAC address zero");
}

static void begin_exposures(void)
{
    begin(MESSAGE_EXPOSURES_ITEMS,
          sizeof(struct message_exposures) + EXPOSURES_PER_MESSAGE * sizeof(struct wire_exposure));
    message.exposures.item_count = EXPOSURES_PER_MESSAGE;
    for (size_t i = 0; i < EXPOSURES_PER_MESSAGE; i++)
        message.exposures.items[i] = (struct wire_exposure){
            .family = IP_FAMILY_4,
            .protocol = IPPROTO_TCP,
            .port_first = 8000,
            .port_last = 8010,
            .backend_port_first = 9000,
            .backend = {172, 30, 0, 10},
            .access = EXPOSURE_OPEN,
        };
}

static const struct rule_case exposure_rules[] = {
    BREAKS("reserved field not zero", SET(exposures.reserved, 1)),
    BREAKS("exposure family", SET(exposures.items[0].family, 0)),
    BREAKS("exposure family", SET(exposures.items[EXPOSURES_PER_MESSAGE - 1].family, 0)),
    PASSES(SET(exposures.items[2].protocol, IPPROTO_UDP)),
    BREAKS("exposure protocol", SET(exposures.items[2].protocol, IPPROTO_SCTP)),
    BREAKS("exposure ports", SET(exposures.items[2].port_first, 0)),
    BREAKS("exposure ports", SET(exposures.items[2].port_last, 7999)),
    PASSES(SET(exposures.items[2].port_last, 8000)),
    BREAKS("exposure backend ports", SET(exposures.items[2].backend_port_first, 0)),
    PASSES(SET(exposures.items[2].backend_port_first, 65525)), /* 65525 + 10 is the last port */
    BREAKS("exposure backend ports", SET(exposures.items[2].backend_port_first, 65526)),
    BREAKS("exposure padding not zero", SET(exposures.items[2].backend[4], 1)),
    PASSES(SET(exposures.items[2].backend[4], 1), SET(exposures.items[2].family, IP_FAMILY_6)),
    PASSES(SET(exposures.items[2].access, EXPOSURE_WITHHELD)),
    BREAKS("exposure access", SET(exposures.items[2].access, 0)),
    BREAKS("exposure access", SET(exposures.items[2].access, EXPOSURE_ACCESS_MAX_)),
    BREAKS("exposure padding not zero", SET(exposures.items[2].reserved[2], 1)),
};

static void exposures_are_checked_item_by_item(void **state)
{
    (void)state;
    EXPECT_EACH(WATCHER_TO_NETADMIN, 0, begin_exposures, exposure_rules);
}

static void begin_links(void)
{
    begin(MESSAGE_LINKS_ITEMS, sizeof(struct message_links) + LINKS_PER_MESSAGE * sizeof(struct wire_link));
    message.links.item_count = LINKS_PER_MESSAGE;
    for (size_t i = 0; i < LINKS_PER_MESSAGE; i++) {
        struct wire_link *link = &message.links.items[i];

        *link = (struct wire_link){.index = 2, .name = "eth0", .address_count = LINK_ADDRESSES_MAX};
        for (size_t j = 0; j < LINK_ADDRESSES_MAX; j++)
            link->addresses[j] = (struct wire_link_address){.address = {LAN4}, .prefix_length = 24};
    }
}

static const struct rule_case links_rules[] = {
    BREAKS("reserved field not zero", SET(links.reserved, 1)),
    BREAKS("interface index", SET(links.items[0].index, 0)),
    BREAKS("interface index", SET(links.items[LINKS_PER_MESSAGE - 1].index, 0)),
    BREAKS("interface name", SET(links.items[0].name[0], '\0')),
    BREAKS("interface name", FILL(links.items[0].name)),
    PASSES(SET(links.items[0].ipv6_flags, LINK_IPV6_ALL_)),
    BREAKS("link flags", SET(links.items[0].ipv6_flags, LINK_IPV6_ALL_ + 1)),
    BREAKS("link flags", SET(links.items[0].reserved, 1)),
    PASSES(SET(links.items[0].address_count, 0)),
    BREAKS("address count", SET(links.items[0].address_count, LINK_ADDRESSES_MAX + 1)),
    BREAKS("prefix length", SET(links.items[0].addresses[LINK_ADDRESSES_MAX - 1].prefix_length, 33)),
    PASSES(SET(links.items[0].addresses[0].prefix_length, 32)),
    BREAKS("address family", SET(links.items[0].addresses[0].address, 0)),
    BREAKS("address padding not zero", SET(links.items[0].addresses[0].reserved[2], 1)),
};

static void links_are_checked_item_by_item(void **state)
{
    (void)state;
    EXPECT_EACH(NETADMIN_TO_WATCHER, 0, begin_links, links_rules);
}

static void begin_applied(void)
{
    begin(MESSAGE_APPLIED, sizeof(struct message_applied));
}

static const struct rule_case applied_rules[] = {
    PASSES(SET(applied.error, -EPERM)),
    BREAKS("error is no negative errno", SET(applied.error, 1)),
    BREAKS("error is no negative errno", SET(applied.lacks_lists, 2)),
    BREAKS("reason not terminated", FILL(applied.reason)),
};

static void begin_commit(void)
{
    begin(MESSAGE_MAP_COMMIT, sizeof(struct message_commit));
}

static const struct rule_case commit_rules[] = {
    PASSES(SET(commit.item_count, UINT32_MAX)),
    BREAKS("reserved field not zero", SET(commit.reserved, 1)),
};

static void answers_are_checked(void **state)
{
    (void)state;
    EXPECT_EACH(NETADMIN_TO_WATCHER, 0, begin_applied, applied_rules);
    EXPECT_EACH(NETADMIN_TO_WATCHER, 0, begin_commit, commit_rules);
}

/* --- announcer and resolver -------------------------------------------------------------------------- */

static const struct wire_held good_held = {.index = 2, .name = "eth0", .mac = {{2, 0, 0, 0, 0, 1}}, .address = {LAN4}};

static void begin_held(void)
{
    begin(MESSAGE_HELD_ITEMS, sizeof(struct message_held) + HELD_PER_MESSAGE * sizeof(struct wire_held));
    message.held.item_count = HELD_PER_MESSAGE;
    for (size_t i = 0; i < HELD_PER_MESSAGE; i++)
        message.held.items[i] = good_held;
}

static const struct rule_case held_rules[] = {
    BREAKS("reserved field not zero", SET(held.reserved, 1)),
    BREAKS("interface index", SET(held.items[0].index, 0)),
    BREAKS("interface index", SET(held.items[HELD_PER_MESSAGE - 1].index, 0)),
    BREAKS("interface index", SET(held.items[0].index, UINT32_C(1) << 31)),
    PASSES(SET(held.items[0].index, INT32_MAX)),
    BREAKS("interface name", SET(held.items[0].name[0], '\0')),
    BREAKS("interface name", FILL(held.items[0].name)),
    BREAKS("MAC address zero", SET(held.items[0].mac.bytes[0], 0), SET(held.items[0].mac.bytes[5], 0)),
    PASSES(SET(held.items[0].is_router, 1)),
    BREAKS("router flag", SET(held.items[0].is_router, 2)),
    BREAKS("padding not zero", SET(held.items[0].reserved, 1)),
    BREAKS("address family", SET(held.items[0].address, 0)),
};

static void begin_probe(void)
{
    begin(MESSAGE_PROBE, sizeof(struct message_probe));
    message.probe.target = good_held;
}

static const struct rule_case probe_rules[] = {
    BREAKS("interface index", SET(probe.target.index, 0)),
};

static void begin_probed(void)
{
    begin(MESSAGE_PROBED, sizeof(struct message_probed));
    message.probed.target = good_held;
}

static const struct rule_case probed_rules[] = {
    BREAKS("interface index", SET(probed.target.index, 0)),
    BREAKS("padding not zero", SET(probed.reserved[0], 1)),
    BREAKS("holder", SET(probed.is_held, 1)), /* by whom? */
    PASSES(SET(probed.is_held, 1), SET(probed.holder.bytes[5], 7)),
    BREAKS("holder", SET(probed.is_held, 2), SET(probed.holder.bytes[5], 7)),
    BREAKS("holder", SET(probed.holder.bytes[5], 7)), /* then it names nobody */
};

static void the_announcers_messages_are_checked(void **state)
{
    (void)state;
    EXPECT_EACH(NETADMIN_TO_ANNOUNCER, 0, begin_held, held_rules);
    EXPECT_EACH(NETADMIN_TO_ANNOUNCER, 0, begin_probe, probe_rules);
    EXPECT_EACH(ANNOUNCER_TO_NETADMIN, 0, begin_probed, probed_rules);
}

static void begin_gateways(void)
{
    begin(MESSAGE_GATEWAYS, sizeof(struct message_gateways));
    message.gateways.v4 = (struct wire_lookup){.outcome = LOOKUP_ANSWERED, .count = 1, .addresses = {{LAN4}}};
    message.gateways.v6.outcome = LOOKUP_FAILED;
}

static const struct rule_case gateways_rules[] = {
    BREAKS("look-up outcome", SET(gateways.v4.outcome, 0)),
    BREAKS("look-up outcome", SET(gateways.v6.outcome, LOOKUP_OUTCOME_MAX_)),
    BREAKS("look-up count", SET(gateways.v4.outcome, LOOKUP_FAILED)), /* and yet an address */
    BREAKS("look-up address family", SET(gateways.v4.count, 2)),      /* the second one is missing */
    BREAKS("look-up address family", SET(gateways.v4.count, 0)),      /* one too many */
    BREAKS("look-up address family", SET(gateways.v4.addresses[GATEWAYS_MAX - 1], LAN4)),
    BREAKS("look-up address family", SET(gateways.v4.addresses[0], LAN6)),
    BREAKS("address padding not zero", SET(gateways.v4.addresses[0].bytes[4], 1)),
};

static void begin_full_gateways(void)
{
    begin_gateways();
    message.gateways.v4.count = GATEWAYS_MAX;
    for (size_t i = 0; i < GATEWAYS_MAX; i++)
        message.gateways.v4.addresses[i] = (struct wire_address){LAN4};
}

static const struct rule_case full_gateways_rules[] = {
    BREAKS("look-up count", SET(gateways.v4.count, GATEWAYS_MAX + 1)),
    BREAKS("look-up address family", SET(gateways.v4.count, GATEWAYS_MAX - 1)),
    BREAKS("address family", SET(gateways.v4.addresses[GATEWAYS_MAX - 1].family, 5)),
};

static void what_the_resolver_found_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(RESOLVER_TO_WAY, 0, begin_gateways, gateways_rules);
    EXPECT_EACH(RESOLVER_TO_WAY, 0, begin_full_gateways, full_gateways_rules);
}

static void begin_configure_way(void)
{
    begin(MESSAGE_CONFIGURE_WAY, sizeof(struct message_configure_way));
    message.way.gateway4 = (struct wire_address){LAN4};
}

static const struct rule_case way_rules[] = {
    PASSES(SET(way.gateway6, LAN6)),
    BREAKS("gateway", SET(way.gateway6, LAN4)),
    BREAKS("gateway", SET(way.gateway4, LAN6)),
    BREAKS("gateway", SET(way.gateway4.bytes[4], 1)),
    BREAKS("gateway", SET(way.gateway6.family, 5)),
    BREAKS("log level", SET(way.log_level, LOG_LEVEL_MAX_)),
    PASSES(SET(way.is_attached, 1), SET(way.inner_mac, {2, 0, 0, 0, 0, 1})),
    BREAKS("attachment", SET(way.is_attached, 2), SET(way.inner_mac, {2, 0, 0, 0, 0, 1})),
    BREAKS("attachment", SET(way.is_attached, 1)),
    BREAKS("attachment", SET(way.inner_mac, {2, 0, 0, 0, 0, 1})),
    BREAKS("attachment", SET(way.is_attached, 1), SET(way.inner_mac, {3, 0, 0, 0, 0, 1})),
    BREAKS("attachment", SET(way.reserved[1], 1)),
};

static void begin_way_socket(void)
{
    begin(MESSAGE_WAY_SOCKET, sizeof(struct message_way_socket));
    message.way_socket.kind = WAY_SOCKET_REQUESTS;
}

static const struct rule_case way_socket_rules[] = {
    PASSES(SET(way_socket.number, WAY_NAMESPACES_MAX - 1)),
    BREAKS("number of the namespace", SET(way_socket.number, WAY_NAMESPACES_MAX)),
    PASSES(SET(way_socket.kind, WAY_SOCKET_MAX_ - 1)),
    BREAKS("kind of socket", SET(way_socket.kind, 0)),
    BREAKS("kind of socket", SET(way_socket.kind, WAY_SOCKET_MAX_)),
};

static void what_way_is_told_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_WAY, 0, begin_configure_way, way_rules);
    EXPECT_EACH(SUPERVISOR_TO_WAY, 1, begin_way_socket, way_socket_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_every_worker_hears_and_says_is_checked),
        cmocka_unit_test(every_workers_first_messages_are_checked),
        cmocka_unit_test(the_topology_is_checked),
        cmocka_unit_test(exposures_are_checked_item_by_item),
        cmocka_unit_test(links_are_checked_item_by_item),
        cmocka_unit_test(answers_are_checked),
        cmocka_unit_test(the_announcers_messages_are_checked),
        cmocka_unit_test(what_the_resolver_found_is_checked),
        cmocka_unit_test(what_way_is_told_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
