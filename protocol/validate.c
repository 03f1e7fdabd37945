/*
 * The gate of every process; see validate.h. Runs on both sides of the wall, without any privilege.
 *
 * One table: direction and type -> length, items, descriptors, further rules. What is not in it is refused.
 */
#include "protocol/validate.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_announcer.h"
#include "protocol/validate_attach.h"
#include "protocol/validate_bans.h"
#include "protocol/validate_control.h"
#include "protocol/validate_gate.h"
#include "protocol/validate_guests.h"
#include "protocol/validate_keeper.h"
#include "protocol/validate_lease.h"
#include "protocol/validate_parts.h"
#include "protocol/validate_router.h"
#include "protocol/validate_way.h"

#include <netinet/in.h>

/* Returns NULL, or the rule that `message` breaks. Lengths and counts have been checked. */
typedef const char *(*rule_check)(const void *message);

struct message_rule {
    enum message_direction direction;
    enum message_type type;
    size_t length;      /* exact; with items the part before them */
    size_t item_size;   /* 0: none */
    uint32_t items_max; /* at least one item travels */
    size_t descriptors; /* exact */
    rule_check check;   /* or NULL */
};

static const char *check_subnet(const struct wire_subnet *subnet)
{
    const char *broken = check_address(&subnet->address, false);

    if (broken)
        return broken;
    if (subnet->prefix_length > ip_family_bits(subnet->address.family))
        return "prefix length";
    if (!is_zero(subnet->reserved, sizeof(subnet->reserved)))
        return "subnet padding not zero";
    broken = check_address(&subnet->gateway, true);
    if (!broken)
        broken = check_address(&subnet->auxiliary_gateway, true);
    if (broken)
        return broken;
    if ((subnet->gateway.family && subnet->gateway.family != subnet->address.family) ||
        (subnet->auxiliary_gateway.family && subnet->auxiliary_gateway.family != subnet->address.family))
        return "gateway of another family than its subnet";
    return NULL;
}

static const char *check_network(const struct wire_network *network)
{
    if (!text_is_terminated(network->name, sizeof(network->name)))
        return "network name not terminated";
    if (mac_address_is_zero(&network->mac))
        return "MAC address zero";
    if (!is_zero(network->reserved, sizeof(network->reserved)))
        return "network padding not zero";
    if (network->subnet_count > SUBNETS_MAX)
        return "subnet count";
    if (check_address(&network->own4, true) || check_address(&network->own6, true) ||
        network->own4.family == IP_FAMILY_6 || network->own6.family == IP_FAMILY_4)
        return "own address";
    for (uint32_t i = 0; i < network->subnet_count; i++) {
        const char *broken = check_subnet(&network->subnets[i]);

        if (broken)
            return broken;
    }
    return NULL;
}

static const char *check_topology(const void *message)
{
    const struct message_topology *topology = message;
    const char *broken = check_network(&topology->external);

    if (!broken)
        broken = check_network(&topology->shared);
    if (!broken && (topology->is_final > 1 || topology->reserved))
        broken = "finality";
    if (!broken && mac_address_equal(&topology->external.mac, &topology->shared.mac))
        return "the LAN's network and transit have the same MAC address";
    return broken;
}

/* Without a shared network under attach. */
static const char *check_topology_to_netadmin(const void *message)
{
    const struct message_topology *topology = message;

    if (!is_zero((const uint8_t *)&topology->shared, sizeof(topology->shared)))
        return check_topology(message);
    return topology->is_final == 1 && !topology->reserved ? check_network(&topology->external) : "finality";
}

static const char *check_link_message(const void *message)
{
    const struct message_link *link = message;

    return link->peer == 0 || link->peer >= LINK_PEER_MAX_ || link->reserved ? "peer" : NULL;
}

static const char *check_stop(const void *message)
{
    const struct message_stop *stop = message;

    return stop->mode == 0 || stop->mode >= STOP_MODE_MAX_ || stop->reserved ? "stop mode" : NULL;
}

static const char *check_readiness(const void *message)
{
    const struct message_readiness *readiness = message;

    return readiness->conditions & ~(uint32_t)READINESS_ALL_ || readiness->reserved ? "conditions" : NULL;
}

static const char *check_docker_credential(const void *message)
{
    const struct message_docker_credential *credential = message;

    return credential->kind == 0 || credential->kind >= DOCKER_CREDENTIAL_MAX_ || credential->reserved
               ? "kind of credential"
               : NULL;
}

static const char *check_configure_watcher(const void *message)
{
    const struct message_configure_watcher *configuration = message;

    if (!text_is_terminated(configuration->docker_host, sizeof(configuration->docker_host)) ||
        !text_is_terminated(configuration->asked_at, sizeof(configuration->asked_at)) ||
        !text_is_terminated(configuration->project, sizeof(configuration->project)) ||
        !text_is_terminated(configuration->label_selector, sizeof(configuration->label_selector)) ||
        !text_is_terminated(configuration->external_network, sizeof(configuration->external_network)) ||
        !text_is_terminated(configuration->external_interface, sizeof(configuration->external_interface)) ||
        !text_is_terminated(configuration->shared_network, sizeof(configuration->shared_network)))
        return "string not terminated";
    if (configuration->docker_host[0] == '\0' || configuration->asked_at[0] == '\0')
        return "empty string";
    if (check_address(&configuration->pinned_gateway4, true) || configuration->pinned_gateway4.family == IP_FAMILY_6)
        return "pinned gateway";
    if (configuration->address_mode == 0 || configuration->address_mode >= ADDRESS_MODE_MAX_)
        return "address mode";
    if (configuration->poll_interval_milliseconds == 0)
        return "poll interval";
    if (configuration->is_attached > 1 || configuration->expose_from & ~(uint32_t)EXPOSE_FROM_ALL_ ||
        configuration->is_attached != (configuration->expose_from != 0))
        return "attachment";
    return configuration->log_level >= LOG_LEVEL_MAX_
               ? "log level"
               : check_scope(configuration->project, configuration->label_selector);
}

static const char *check_configure_netadmin(const void *message)
{
    const struct message_configure_netadmin *configuration = message;
    const char *broken = check_address(&configuration->pinned_gateway4, true);

    if (!broken)
        broken = check_address(&configuration->pinned_gateway6, true);
    if (broken)
        return broken;
    if (configuration->pinned_gateway4.family == IP_FAMILY_6 || configuration->pinned_gateway6.family == IP_FAMILY_4)
        return "pinned gateway of the other family";
    if (configuration->address_mode == 0 || configuration->address_mode >= ADDRESS_MODE_MAX_)
        return "address mode";
    if (configuration->claim_gateway > 1)
        return "claim_gateway";
    if (configuration->is_attached > 1 || check_address(&configuration->next_hop, true) ||
        configuration->next_hop.family != (configuration->is_attached ? IP_FAMILY_4 : IP_FAMILY_NONE))
        return "attachment";
    if (configuration->log_level >= LOG_LEVEL_MAX_)
        return "log level";
    return check_subnets(configuration->via_host, configuration->via_host_count,
                         configuration->is_attached ? VIA_HOST_MAX : 0);
}

static const char *check_exposure(const struct wire_exposure *exposure)
{
    size_t used = ip_family_length(exposure->family);

    if (used == 0)
        return "exposure family";
    if (exposure->protocol != IPPROTO_TCP && exposure->protocol != IPPROTO_UDP)
        return "exposure protocol";
    if (exposure->port_first == 0 || exposure->port_last < exposure->port_first)
        return "exposure ports";
    if (exposure->backend_port_first == 0 ||
        exposure->port_last - exposure->port_first > UINT16_MAX - exposure->backend_port_first)
        return "exposure backend ports";
    if (!is_zero(exposure->backend + used, sizeof(exposure->backend) - used))
        return "exposure padding not zero";
    if (exposure->access == 0 || exposure->access >= EXPOSURE_ACCESS_MAX_)
        return "exposure access";
    return is_zero(exposure->reserved, sizeof(exposure->reserved)) ? NULL : "exposure padding not zero";
}

static const char *check_exposures(const void *message)
{
    const struct message_exposures *exposures = message;

    if (exposures->reserved)
        return "reserved field not zero";
    for (uint32_t i = 0; i < exposures->item_count; i++) {
        const char *broken = check_exposure(&exposures->items[i]);

        if (broken)
            return broken;
    }
    return NULL;
}

static const char *check_link_item(const struct wire_link *link)
{
    if (link->index == 0)
        return "interface index";
    if (!text_is_terminated(link->name, sizeof(link->name)) || link->name[0] == '\0')
        return "interface name";
    if (link->ipv6_flags & ~LINK_IPV6_ALL_ || link->reserved)
        return "link flags";
    if (link->address_count > LINK_ADDRESSES_MAX)
        return "address count";
    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct wire_link_address *address = &link->addresses[i];
        const char *broken = check_address(&address->address, false);

        if (broken)
            return broken;
        if (address->prefix_length > ip_family_bits(address->address.family))
            return "prefix length";
        if (!is_zero(address->reserved, sizeof(address->reserved)))
            return "address padding not zero";
    }
    return NULL;
}

static const char *check_links(const void *message)
{
    const struct message_links *links = message;

    if (links->reserved)
        return "reserved field not zero";
    for (uint32_t i = 0; i < links->item_count; i++) {
        const char *broken = check_link_item(&links->items[i]);

        if (broken)
            return broken;
    }
    return NULL;
}

static const char *check_commit(const void *message)
{
    const struct message_commit *commit = message;

    return commit->reserved ? "reserved field not zero" : NULL;
}

static const char *check_applied(const void *message)
{
    const struct message_applied *applied = message;

    if (applied->error > 0 || applied->lacks_lists > 1)
        return "error is no negative errno";
    return text_is_terminated(applied->reason, sizeof(applied->reason)) ? NULL : "reason not terminated";
}

static const char *check_own_metrics_page(const void *message)
{
    const struct message_metrics_page *page = message;

    if (page->writer >= METRICS_WRITER_MAX_)
        return "metrics writer";
    return page->access == METRICS_ACCESS_WRITE ? NULL : "metrics access";
}

static const char *check_metrics_page(const void *message)
{
    const struct message_metrics_page *page = message;

    return page->access == METRICS_ACCESS_READ && page->writer < METRICS_WRITER_MAX_ ? NULL
                                                                                     : check_own_metrics_page(message);
}

static const char *check_configure_exporter(const void *message)
{
    const struct message_configure_exporter *configuration = message;

    if (configuration->log_level >= LOG_LEVEL_MAX_)
        return "log level";
    return configuration->reserved ? "reserved field not zero" : NULL;
}

#define RULE(direction_, type_, structure_, check_)                                           \
    {                                                                                         \
        DIRECTION_##direction_, MESSAGE_##type_, sizeof(struct structure_), 0, 0, 0, (check_) \
    }
#define RULE_WITH_DESCRIPTOR(direction_, type_, structure_, check_)                           \
    {                                                                                         \
        DIRECTION_##direction_, MESSAGE_##type_, sizeof(struct structure_), 0, 0, 1, (check_) \
    }
#define RULE_WITH_ITEMS(direction_, type_, structure_, item_, max_, check_)                                           \
    {                                                                                                                 \
        DIRECTION_##direction_, MESSAGE_##type_, sizeof(struct structure_), sizeof(struct item_), (max_), 0, (check_) \
    }

static const struct message_rule rules[] = {
    RULE(SUPERVISOR_TO_WATCHER, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_WATCHER, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_WATCHER, CONFIGURE_WATCHER, message_configure_watcher, check_configure_watcher),
    RULE(SUPERVISOR_TO_WATCHER, GUEST_TEXT, message_guest_text, check_guest_text),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_WATCHER, DOCKER_CREDENTIAL, message_docker_credential, check_docker_credential),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_WATCHER, LINK, message_link, check_link_message),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_WATCHER, METRICS_PAGE, message_metrics_page, check_own_metrics_page),

    RULE(SUPERVISOR_TO_NETADMIN, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_NETADMIN, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_NETADMIN, CONFIGURE_NETADMIN, message_configure_netadmin, check_configure_netadmin),
    RULE(SUPERVISOR_TO_NETADMIN, TOPOLOGY, message_topology, check_topology_to_netadmin),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_NETADMIN, LINK, message_link, check_link_message),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_NETADMIN, METRICS_PAGE, message_metrics_page, check_own_metrics_page),

    RULE(WATCHER_TO_SUPERVISOR, PONG, message_ping, NULL),
    RULE(WATCHER_TO_SUPERVISOR, READINESS, message_readiness, check_readiness),
    RULE(WATCHER_TO_SUPERVISOR, TOPOLOGY, message_topology, check_topology),
    RULE(WATCHER_TO_SUPERVISOR, KEEPER_WANTED, message_ping, NULL),

    RULE(NETADMIN_TO_SUPERVISOR, PONG, message_ping, NULL),
    RULE(NETADMIN_TO_SUPERVISOR, READINESS, message_readiness, check_readiness),

    RULE(WATCHER_TO_NETADMIN, EXPOSURES_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(WATCHER_TO_NETADMIN, EXPOSURES_ITEMS, message_exposures, wire_exposure, EXPOSURES_PER_MESSAGE,
                    check_exposures),
    RULE_WITH_ITEMS(WATCHER_TO_NETADMIN, EXPOSURES_GUESTS, message_guests, wire_guest, GUESTS_PER_MESSAGE,
                    check_guests),
    RULE(WATCHER_TO_NETADMIN, EXPOSURES_COMMIT, message_commit, check_commit),

    RULE(NETADMIN_TO_WATCHER, LINKS_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(NETADMIN_TO_WATCHER, LINKS_ITEMS, message_links, wire_link, LINKS_PER_MESSAGE, check_links),
    RULE(NETADMIN_TO_WATCHER, LINKS_COMMIT, message_commit, check_commit),
    RULE(NETADMIN_TO_WATCHER, MAP_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(NETADMIN_TO_WATCHER, MAP_ITEMS, message_exposures, wire_exposure, EXPOSURES_PER_MESSAGE,
                    check_exposures),
    RULE(NETADMIN_TO_WATCHER, MAP_COMMIT, message_commit, check_commit),
    RULE(NETADMIN_TO_WATCHER, APPLIED, message_applied, check_applied),

    RULE(SUPERVISOR_TO_ANNOUNCER, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_ANNOUNCER, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_ANNOUNCER, CONFIGURE_ANNOUNCER, message_configure_announcer, check_configure_announcer),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_ANNOUNCER, RAW_SOCKET, message_raw_socket, check_raw_socket),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_ANNOUNCER, LINK, message_link, check_link_message),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_ANNOUNCER, METRICS_PAGE, message_metrics_page, check_own_metrics_page),
    RULE(ANNOUNCER_TO_SUPERVISOR, PONG, message_ping, NULL),

    RULE(NETADMIN_TO_ANNOUNCER, HELD_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(NETADMIN_TO_ANNOUNCER, HELD_ITEMS, message_held, wire_held, HELD_PER_MESSAGE, check_held),
    RULE(NETADMIN_TO_ANNOUNCER, HELD_COMMIT, message_commit, check_commit),
    RULE(NETADMIN_TO_ANNOUNCER, PROBE, message_probe, check_probe),

    RULE(ANNOUNCER_TO_NETADMIN, PROBED, message_probed, check_probed),
    RULE(ANNOUNCER_TO_NETADMIN, CONTESTED, message_probed, check_probed),
    RULE(ANNOUNCER_TO_NETADMIN, ADVERTISED, message_advertised, check_advertised),

    RULE(SUPERVISOR_TO_RESOLVER, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_RESOLVER, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_RESOLVER, CONFIGURE_RESOLVER, message_configure_resolver, check_configure_resolver),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_RESOLVER, LINK, message_link, check_link_message),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_RESOLVER, METRICS_PAGE, message_metrics_page, check_own_metrics_page),
    RULE(RESOLVER_TO_SUPERVISOR, PONG, message_ping, NULL),

    RULE(RESOLVER_TO_WAY, GATEWAYS, message_gateways, check_gateways),

    RULE(SUPERVISOR_TO_WAY, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_WAY, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_WAY, CONFIGURE_WAY, message_configure_way, check_configure_way),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_WAY, WAY_SOCKET, message_way_socket, check_way_socket),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_WAY, LINK, message_link, check_link_message),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_WAY, METRICS_PAGE, message_metrics_page, check_own_metrics_page),

    RULE(WAY_TO_SUPERVISOR, PONG, message_ping, NULL),
    RULE(WAY_TO_SUPERVISOR, READINESS, message_readiness, check_readiness),

    RULE(SUPERVISOR_TO_NAMESPACES, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_NAMESPACES, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_NAMESPACES, CONFIGURE_NAMESPACES, message_configure_namespaces, check_configure_namespaces),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_NAMESPACES, LINK, message_link, check_link_message),
    RULE(NAMESPACES_TO_SUPERVISOR, PONG, message_ping, NULL),

    RULE(WATCHER_TO_NAMESPACES, NAMESPACE_WANTED, message_container, check_namespace_wanted),
    RULE(WATCHER_TO_NAMESPACES, NAMESPACE_LEFT, message_container, check_namespace_left),
    RULE(WATCHER_TO_NAMESPACES, NAMESPACES_COMMIT, message_ping, NULL),

    RULE(NAMESPACES_TO_WATCHER, NAMESPACE_ANSWER, message_namespace_answer, check_namespace_answer),

    RULE_WITH_DESCRIPTOR(NAMESPACES_TO_WAY, WAY_SOCKET, message_way_socket, check_way_socket),
    RULE(NAMESPACES_TO_WAY, NAMESPACE_GONE, message_namespace_gone, check_namespace_gone),
    RULE(NAMESPACES_TO_WAY, NAMESPACES_COMMIT, message_ping, NULL),

    RULE(SUPERVISOR_TO_LINKS, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_LINKS, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_LINKS, CONFIGURE_LINKS, message_configure_links, check_configure_links),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_LINKS, LINKS_IDENTITY, message_identity, check_identity),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_LINKS, LINK, message_link, check_link_message),
    RULE(SUPERVISOR_TO_LINKS, PROJECT_ADDRESSES, message_project_addresses, check_project_addresses),
    RULE(SUPERVISOR_TO_LINKS, BRIDGES, message_bridges, check_bridges),
    RULE(LINKS_TO_SUPERVISOR, PONG, message_ping, NULL),
    RULE(LINKS_TO_SUPERVISOR, SHARED_LINKS, message_shared_links, check_shared_links),
    RULE(LINKS_TO_SUPERVISOR, HOST_ADDRESSES, message_host_addresses, check_host_addresses),
    RULE(LINKS_TO_SUPERVISOR, BRIDGES, message_bridges, check_bridges),
    RULE(WATCHER_TO_LINKS, BRIDGES, message_bridges, check_bridges),
    RULE(WATCHER_TO_LINKS, GUARDED, message_guarded, check_guarded),
    RULE(LINKS_TO_WATCHER, LINK_ANSWER, message_link_answer, check_link_answer),

    RULE(HOST_TO_IDENTITY, WELCOME, message_welcome, check_welcome),
    RULE(HOST_TO_IDENTITY, HOST_WORKER_STARTED, message_host_worker_started, check_host_worker_started),
    RULE(HOST_TO_IDENTITY, SHARED_LINKS, message_shared_links, check_shared_links),
    RULE(HOST_TO_IDENTITY, HOST_ADDRESSES, message_host_addresses, check_host_addresses),
    RULE_WITH_DESCRIPTOR(IDENTITY_TO_HOST, MEETING_LINK, message_meeting_link, check_meeting_link),
    RULE_WITH_DESCRIPTOR(IDENTITY_TO_HOST, LINKS_IDENTITY, message_identity, check_identity),
    RULE(IDENTITY_TO_HOST, PROJECT_ADDRESSES, message_project_addresses, check_project_addresses),
    RULE(SUPERVISOR_TO_NETADMIN, SHARED_LINKS, message_shared_links, check_shared_links),
    RULE(SUPERVISOR_TO_NETADMIN, HOST_ADDRESSES, message_host_addresses, check_host_addresses),
    RULE(NETADMIN_TO_SUPERVISOR, PROJECT_ADDRESSES, message_project_addresses, check_project_addresses),
    RULE(SUPERVISOR_TO_WATCHER, HOST_ADDRESSES, message_host_addresses, check_host_addresses),

    RULE(SUPERVISOR_TO_BANS, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_BANS, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_BANS, CONFIGURE_BANS, message_configure_bans, check_configure_bans),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_BANS, BAN_LISTENER, message_ban_listener, check_ban_listener),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_BANS, LINK, message_link, check_link_message),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_BANS, METRICS_PAGE, message_metrics_page, check_own_metrics_page),
    RULE(BANS_TO_SUPERVISOR, PONG, message_ping, NULL),
    RULE(BANS_TO_NETADMIN, BANS_BEGIN, message_begin, NULL),
    RULE(BANS_TO_NETADMIN, BAN_CHANGES_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(BANS_TO_NETADMIN, BANS_ITEMS, message_bans, wire_ban, BANS_PER_MESSAGE, check_bans),
    RULE(BANS_TO_NETADMIN, BANS_COMMIT, message_commit, check_commit),
    RULE(NETADMIN_TO_BANS, BANS_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(NETADMIN_TO_BANS, BANS_ITEMS, message_bans, wire_ban, BANS_PER_MESSAGE, check_bans),
    RULE(NETADMIN_TO_BANS, BANS_COMMIT, message_commit, check_commit),
    RULE(NETADMIN_TO_BANS, PROJECT_ADDRESSES, message_project_addresses, check_project_addresses),
    RULE(NETADMIN_TO_BANS, BANS_APPLIED, message_bans_applied, check_bans_applied),
    RULE(BANNER_TO_BANS, BAN_REQUEST, message_ban_request, check_ban_request),
    RULE(BANS_TO_BANNER, BAN_ANSWER, message_ban_answer, check_ban_answer),
    RULE_WITH_ITEMS(BANS_TO_BANNER, BANS_LISTED, message_bans_listed, wire_listed_ban, BANS_LISTED_MAX,
                    check_bans_listed),

    RULE(SUPERVISOR_TO_EXPORTER, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_EXPORTER, STOP, message_stop, check_stop),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_EXPORTER, METRICS_PAGE, message_metrics_page, check_metrics_page),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_EXPORTER, CONFIGURE_EXPORTER, message_configure_exporter,
                         check_configure_exporter),
    RULE(EXPORTER_TO_SUPERVISOR, PONG, message_ping, NULL),

    RULE(SUPERVISOR_TO_CONTROL, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_CONTROL, STOP, message_stop, check_stop),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_CONTROL, CONFIGURE_CONTROL, message_configure_control, check_configure_control),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_CONTROL, LINK, message_link, check_link_message),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_CONTROL, METRICS_PAGE, message_metrics_page, check_own_metrics_page),
    RULE(SUPERVISOR_TO_CONTROL, SUPERVISION, message_supervision, check_supervision),

    RULE(CONTROL_TO_SUPERVISOR, PONG, message_ping, NULL),

    RULE(WATCHER_TO_CONTROL, FINDINGS_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(WATCHER_TO_CONTROL, FINDINGS_ITEMS, message_findings, wire_finding, FINDINGS_PER_MESSAGE,
                    check_findings),
    RULE(WATCHER_TO_CONTROL, FINDINGS_COMMIT, message_commit, check_commit),

    RULE(SUPERVISOR_TO_KEEPER, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_KEEPER, STOP, message_stop, check_stop),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_KEEPER, DOCKER_CREDENTIAL, message_docker_credential, check_docker_credential),
    RULE(SUPERVISOR_TO_KEEPER, CONFIGURE_KEEPER, message_configure_keeper, check_configure_keeper),
    RULE(SUPERVISOR_TO_KEEPER, MANAGED_TARGET, message_managed_target, check_managed_target),
    RULE(SUPERVISOR_TO_KEEPER, TOPOLOGY, message_topology, check_topology),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_KEEPER, LINK, message_link, check_link_message),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_KEEPER, METRICS_PAGE, message_metrics_page, check_own_metrics_page),

    RULE(SUPERVISOR_TO_GATE, PING, message_ping, NULL),
    RULE(SUPERVISOR_TO_GATE, STOP, message_stop, check_stop),
    RULE(SUPERVISOR_TO_GATE, CONFIGURE_GATE, message_configure_gate, check_configure_gate),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_GATE, GATE_LISTENER, message_gate_listener, check_gate_listener),
    RULE_WITH_DESCRIPTOR(SUPERVISOR_TO_GATE, METRICS_PAGE, message_metrics_page, check_own_metrics_page),
    RULE(GATE_TO_SUPERVISOR, PONG, message_ping, NULL),

    RULE(KEEPER_TO_SUPERVISOR, PONG, message_ping, NULL),
    RULE(KEEPER_TO_SUPERVISOR, READINESS, message_readiness, check_readiness),

    RULE(KEEPER_TO_CONTROL, FINDINGS_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(KEEPER_TO_CONTROL, FINDINGS_ITEMS, message_findings, wire_finding, FINDINGS_PER_MESSAGE,
                    check_findings),
    RULE(KEEPER_TO_CONTROL, FINDINGS_COMMIT, message_commit, check_commit),

    RULE(CONTROL_TO_NETADMIN, COUNTERS_WANTED, message_ping, NULL),
    RULE(SUPERVISOR_TO_NETADMIN, COUNTERS_WANTED, message_ping, NULL),
    RULE(EXPORTER_TO_SUPERVISOR, COUNTERS_WANTED, message_ping, NULL),
    RULE(NETADMIN_TO_CONTROL, COUNTERS_BEGIN, message_begin, NULL),
    RULE_WITH_ITEMS(NETADMIN_TO_CONTROL, COUNTERS_ITEMS, message_counters, wire_counter, COUNTERS_PER_MESSAGE,
                    check_counters),
    RULE(NETADMIN_TO_CONTROL, COUNTERS_COMMIT, message_commit, check_commit),
    RULE(NETADMIN_TO_CONTROL, NETWORK_REPORT, message_network_report, check_network_report),
    RULE(WAY_TO_CONTROL, NETWORK_REPORT, message_network_report, check_network_report),

    RULE(LEASE_TO_SUPERVISOR, LEASE_EVENT, message_lease_event, check_lease_event),
    RULE(SUPERVISOR_TO_NETADMIN, LEASE, message_lease, check_lease),
    RULE(NETADMIN_TO_SUPERVISOR, LEASE_APPLIED, message_lease_applied, check_lease_applied),
    RULE(NETADMIN_TO_SUPERVISOR, EXTERNAL_LINK, message_external_link, check_external_link),
};

static const struct message_rule *find_rule(enum message_direction direction, uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        if (rules[i].direction == direction && rules[i].type == type)
            return &rules[i];
    }
    return NULL;
}

/* All messages with items begin alike, so that one place can check the count. */
static_assert(offsetof(struct message_exposures, item_count) == offsetof(struct message_links, item_count) &&
                  offsetof(struct message_exposures, item_count) == offsetof(struct message_held, item_count) &&
                  offsetof(struct message_exposures, item_count) == offsetof(struct message_bans, item_count) &&
                  offsetof(struct message_exposures, item_count) == offsetof(struct message_bans_listed, item_count) &&
                  offsetof(struct message_exposures, item_count) == offsetof(struct message_guests, item_count) &&
                  offsetof(struct message_exposures, item_count) == offsetof(struct message_counters, item_count) &&
                  offsetof(struct message_exposures, item_count) == offsetof(struct message_findings, item_count),
              "item_count stands at one offset");

static bool length_is_right(const struct message_rule *rule, const void *datagram, size_t length)
{
    const struct message_exposures *counted = datagram;

    if (rule->item_size == 0)
        return length == rule->length;
    return length > rule->length && counted->item_count >= 1 && counted->item_count <= rule->items_max &&
           length == rule->length + (size_t)counted->item_count * rule->item_size;
}

static const char *broken_rule(enum message_direction direction, const void *datagram, size_t length,
                               size_t descriptor_count)
{
    const struct message_header *header = datagram;
    const struct message_rule *rule;

    if (length < sizeof(*header))
        return "shorter than a header";
    if (header->magic != MESSAGE_MAGIC)
        return "magic";
    if (header->version != MESSAGE_VERSION)
        return "version";
    if (header->length != length)
        return "length in the header differs from the datagram's";
    if (header->reserved)
        return "reserved field not zero";
    rule = find_rule(direction, header->type);
    if (!rule)
        return "type not allowed in this direction";
    if (!length_is_right(rule, datagram, length))
        return "length of this type";
    if (descriptor_count != rule->descriptors)
        return "number of descriptors";
    return rule->check ? rule->check(datagram) : NULL;
}

int message_validate(enum message_direction direction, const void *datagram, size_t length, size_t descriptor_count,
                     const char **ret_reason)
{
    const char *broken = broken_rule(direction, datagram, length, descriptor_count);

    if (!broken)
        return 0;
    *ret_reason = broken;
    return -EBADMSG;
}
