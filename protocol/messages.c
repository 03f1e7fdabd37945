/* Names and conversions for the messages; see messages.h. Runs in every process, needs no privilege. */
#include "protocol/messages.h"

#include <string.h>

static const char *const type_names[] = {
    [MESSAGE_INVALID] = "INVALID",
    [MESSAGE_PING] = "PING",
    [MESSAGE_LINK] = "LINK",
    [MESSAGE_STOP] = "STOP",
    [MESSAGE_CONFIGURE_WATCHER] = "CONFIGURE_WATCHER",
    [MESSAGE_CONFIGURE_NETADMIN] = "CONFIGURE_NETADMIN",
    [MESSAGE_TOPOLOGY] = "TOPOLOGY",
    [MESSAGE_PONG] = "PONG",
    [MESSAGE_READINESS] = "READINESS",
    [MESSAGE_EXPOSURES_BEGIN] = "EXPOSURES_BEGIN",
    [MESSAGE_EXPOSURES_ITEMS] = "EXPOSURES_ITEMS",
    [MESSAGE_EXPOSURES_COMMIT] = "EXPOSURES_COMMIT",
    [MESSAGE_LINKS_BEGIN] = "LINKS_BEGIN",
    [MESSAGE_LINKS_ITEMS] = "LINKS_ITEMS",
    [MESSAGE_LINKS_COMMIT] = "LINKS_COMMIT",
    [MESSAGE_MAP_BEGIN] = "MAP_BEGIN",
    [MESSAGE_MAP_ITEMS] = "MAP_ITEMS",
    [MESSAGE_MAP_COMMIT] = "MAP_COMMIT",
    [MESSAGE_APPLIED] = "APPLIED",
    [MESSAGE_CONFIGURE_ANNOUNCER] = "CONFIGURE_ANNOUNCER",
    [MESSAGE_RAW_SOCKET] = "RAW_SOCKET",
    [MESSAGE_HELD_BEGIN] = "HELD_BEGIN",
    [MESSAGE_HELD_ITEMS] = "HELD_ITEMS",
    [MESSAGE_HELD_COMMIT] = "HELD_COMMIT",
    [MESSAGE_PROBE] = "PROBE",
    [MESSAGE_PROBED] = "PROBED",
    [MESSAGE_CONTESTED] = "CONTESTED",
    [MESSAGE_CONFIGURE_RESOLVER] = "CONFIGURE_RESOLVER",
    [MESSAGE_GATEWAYS] = "GATEWAYS",
    [MESSAGE_CONFIGURE_WAY] = "CONFIGURE_WAY",
    [MESSAGE_WAY_SOCKET] = "WAY_SOCKET",
    [MESSAGE_CONFIGURE_NAMESPACES] = "CONFIGURE_NAMESPACES",
    [MESSAGE_NAMESPACE_WANTED] = "NAMESPACE_WANTED",
    [MESSAGE_NAMESPACE_LEFT] = "NAMESPACE_LEFT",
    [MESSAGE_NAMESPACES_COMMIT] = "NAMESPACES_COMMIT",
    [MESSAGE_NAMESPACE_ANSWER] = "NAMESPACE_ANSWER",
    [MESSAGE_NAMESPACE_GONE] = "NAMESPACE_GONE",
    [MESSAGE_CONFIGURE_LINKS] = "CONFIGURE_LINKS",
    [MESSAGE_LINKS_IDENTITY] = "LINKS_IDENTITY",
    [MESSAGE_BRIDGES] = "BRIDGES",
    [MESSAGE_LINK_ANSWER] = "LINK_ANSWER",
    [MESSAGE_GUARDED] = "GUARDED",
    [MESSAGE_WELCOME] = "WELCOME",
    [MESSAGE_HOST_WORKER_STARTED] = "HOST_WORKER_STARTED",
    [MESSAGE_MEETING_LINK] = "MEETING_LINK",
    [MESSAGE_SHARED_LINKS] = "SHARED_LINKS",
    [MESSAGE_HOST_ADDRESSES] = "HOST_ADDRESSES",
    [MESSAGE_EXPOSURES_GUESTS] = "EXPOSURES_GUESTS",
    [MESSAGE_GUEST_TEXT] = "GUEST_TEXT",
    [MESSAGE_PROJECT_ADDRESSES] = "PROJECT_ADDRESSES",
    [MESSAGE_CONFIGURE_BANS] = "CONFIGURE_BANS",
    [MESSAGE_BAN_LISTENER] = "BAN_LISTENER",
    [MESSAGE_BANS_BEGIN] = "BANS_BEGIN",
    [MESSAGE_BAN_CHANGES_BEGIN] = "BAN_CHANGES_BEGIN",
    [MESSAGE_BANS_ITEMS] = "BANS_ITEMS",
    [MESSAGE_BANS_COMMIT] = "BANS_COMMIT",
    [MESSAGE_BANS_APPLIED] = "BANS_APPLIED",
    [MESSAGE_BAN_REQUEST] = "BAN_REQUEST",
    [MESSAGE_BAN_ANSWER] = "BAN_ANSWER",
    [MESSAGE_BANS_LISTED] = "BANS_LISTED",
    [MESSAGE_METRICS_PAGE] = "METRICS_PAGE",
    [MESSAGE_CONFIGURE_EXPORTER] = "CONFIGURE_EXPORTER",
    [MESSAGE_CONFIGURE_CONTROL] = "CONFIGURE_CONTROL",
    [MESSAGE_SUPERVISION] = "SUPERVISION",
    [MESSAGE_FINDINGS_BEGIN] = "FINDINGS_BEGIN",
    [MESSAGE_FINDINGS_ITEMS] = "FINDINGS_ITEMS",
    [MESSAGE_FINDINGS_COMMIT] = "FINDINGS_COMMIT",
    [MESSAGE_NETWORK_REPORT] = "NETWORK_REPORT",
    [MESSAGE_LEASE_EVENT] = "LEASE_EVENT",
    [MESSAGE_LEASE] = "LEASE",
    [MESSAGE_LEASE_APPLIED] = "LEASE_APPLIED",
    [MESSAGE_EXTERNAL_LINK] = "EXTERNAL_LINK",
    [MESSAGE_DOCKER_CREDENTIAL] = "DOCKER_CREDENTIAL",
    [MESSAGE_CONFIGURE_KEEPER] = "CONFIGURE_KEEPER",
    [MESSAGE_KEEPER_WANTED] = "KEEPER_WANTED",
    [MESSAGE_MANAGED_TARGET] = "MANAGED_TARGET",
    [MESSAGE_ADVERTISED] = "ADVERTISED",
    [MESSAGE_CONFIGURE_GATE] = "CONFIGURE_GATE",
    [MESSAGE_GATE_LISTENER] = "GATE_LISTENER",
    [MESSAGE_COUNTERS_BEGIN] = "COUNTERS_BEGIN",
    [MESSAGE_COUNTERS_ITEMS] = "COUNTERS_ITEMS",
    [MESSAGE_COUNTERS_COMMIT] = "COUNTERS_COMMIT",
    [MESSAGE_COUNTERS_WANTED] = "COUNTERS_WANTED",
};
static_assert(sizeof(type_names) / sizeof(type_names[0]) == MESSAGE_TYPE_MAX_, "every type has a name");

struct message_header message_header_make(enum message_type type, size_t length, uint64_t generation)
{
    return (struct message_header){
        .magic = MESSAGE_MAGIC,
        .version = MESSAGE_VERSION,
        .type = (uint16_t)type,
        .length = (uint32_t)length,
        .generation = generation,
    };
}

const char *message_type_to_string(unsigned int type)
{
    return type < MESSAGE_TYPE_MAX_ ? type_names[type] : "unknown";
}

const char *readiness_condition_to_string(uint32_t condition)
{
    switch (condition) {
    case READINESS_TABLES_INSTALLED:
        return "tables_installed";
    case READINESS_RECONCILED:
        return "reconciled";
    case READINESS_DOCKER_CONNECTED:
        return "docker_connected";
    case READINESS_ROUTE_INSTALLED:
        return "route_installed";
    case READINESS_LINKS_MADE:
        return "links_made";
    case READINESS_WAYS_INSTALLED:
        return "ways_installed";
    default:
        return NULL;
    }
}

int wire_ban_compare(const struct wire_ban *a, const struct wire_ban *b)
{
    return memcmp(a, b, offsetof(struct wire_ban, is_removed));
}

struct ip_subnet wire_ban_subnet(const struct wire_ban *ban)
{
    return (struct ip_subnet){ip_address_from_bytes(ban->family, ban->bytes), ban->prefix_length};
}

bool wire_ban_contains(const struct wire_ban *outer, const struct wire_ban *inner)
{
    const struct ip_subnet subnet = wire_ban_subnet(outer);
    struct ip_address address = ip_address_from_bytes(inner->family, inner->bytes);

    return outer->family == inner->family && outer->prefix_length <= inner->prefix_length &&
           ip_subnet_contains(&subnet, &address);
}

bool wire_ban_is_single(const struct wire_ban *ban)
{
    static const uint8_t no_host[8];

    if (ban->prefix_length == ip_family_bits(ban->family))
        return ban->family == IP_FAMILY_4 || memcmp(ban->bytes + sizeof(no_host), no_host, sizeof(no_host)) != 0;
    return ban->family == IP_FAMILY_6 && ban->prefix_length == BAN_NETWORK6;
}

struct wire_address wire_address_from(const struct ip_address *address)
{
    struct wire_address wire = {.family = address->family};

    memcpy(wire.bytes, address->bytes, ip_family_length(address->family));
    return wire;
}

struct ip_address wire_address_to(const struct wire_address *wire)
{
    return ip_address_from_bytes(wire->family, wire->bytes);
}
