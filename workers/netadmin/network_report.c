/* What the network half says in the log; see network_internal.h. Runs in anchord-netadmin, no privilege. */
#include "common/log.h"
#include "common/text.h"
#include "workers/netadmin/link/device_settings.h"
#include "workers/netadmin/network_internal.h"

#include <stdio.h>
#include <string.h>

/* NAT-13: no netlink message reaches this setting. */
#define FORWARDING6_REMEDY "sysctls: net.ipv6.conf.all.forwarding: \"1\""

static void report_link(struct network *network, enum device_side side, const struct wire_network *wire)
{
    const char *name = side == DEVICE_SIDE_EXTERNAL ? "external" : "shared";
    const struct network_link *link = network_ground_find(&network->ground, side);
    char mac[MAC_ADDRESS_TEXT_SIZE];
    char message[64];

    (void)mac_address_format(&wire->mac, mac);
    if (!link && !network->reported_missing[side]) {
        network->reported_missing[side] = true;
        network->reported_index[side] = 0;
        (void)snprintf(message, sizeof(message), "%s interface not there", name);
        log_warn(message, LOG_TEXT("network", wire->name), LOG_TEXT("mac", mac));
    }
    if (!link || network->reported_index[side] == link->index)
        return;
    network->reported_missing[side] = false;
    network->reported_index[side] = link->index;
    /* Only where ANCHORD_EXT_NETWORK decided does the external network have a name here (ADDR-9). */
    (void)snprintf(message, sizeof(message), "%s interface resolved%s", name,
                   side == DEVICE_SIDE_EXTERNAL && wire->name[0] != '\0' ? " by network" : "");
    log_info(message, LOG_TEXT("interface", link->name), LOG_TEXT("network", wire->name), LOG_TEXT("mac", mac),
             LOG_NUMBER("index", link->index), LOG_NUMBER("mtu", link->mtu));
}

static void report_left_out(struct network *network, enum device_side side)
{
    const struct network_link *link = network_ground_find(&network->ground, side);
    bool has_too_many = link && link->left_out > 0;

    if (has_too_many && !network->reported_left_out[side])
        log_warn("more addresses on the interface than anchord serves: temporary, deprecated and advertised ones are "
                 "left out",
                 LOG_TEXT("interface", link->name), LOG_NUMBER("served", LINK_ADDRESSES_MAX),
                 LOG_NUMBER("left_out", link->left_out));
    network->reported_left_out[side] = has_too_many;
}

static bool has_subnet6(const struct wire_network *wire)
{
    for (uint32_t i = 0; i < wire->subnet_count; i++) {
        if (wire->subnets[i].address.family == IP_FAMILY_6)
            return true;
    }
    return false;
}

static bool has_ipv6(const struct network_link *link)
{
    return link && !(link->settings.ipv6_flags & LINK_IPV6_DISABLED);
}

static void report_forwarding6(struct network *network)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    const struct network_link *shared = network_ground_find(&network->ground, DEVICE_SIDE_SHARED);
    struct rtnetlink_request request;
    bool lacks = has_subnet6(&network->ground.topology.shared) && (has_ipv6(external) || has_ipv6(shared)) &&
                 device_settings_read_forwarding6(network->ground.rtnetlink, &request) == 0;

    if (lacks && !network->reported_forwarding6)
        log_error("IPv6 forwarding is off: no IPv6 reaches or leaves the project; add to this service in Compose",
                  LOG_TEXT("remedy", FORWARDING6_REMEDY));
    network->reported_forwarding6 = lacks;
}

void network_report_links(struct network *network)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);

    report_link(network, DEVICE_SIDE_EXTERNAL, &network->ground.topology.external);
    report_link(network, DEVICE_SIDE_SHARED, &network->ground.topology.shared);
    report_left_out(network, DEVICE_SIDE_EXTERNAL);
    report_left_out(network, DEVICE_SIDE_SHARED);
    report_forwarding6(network);
    if (external)
        network_look_for_duplicates(network, external);
}

static const char *why_no_gateway(const struct family_state *family, const struct network_link *external)
{
    if (!external)
        return "the external interface is not there";
    if (!external->is_up)
        return "the external interface is down";
    switch (family->choice.source) {
    case GATEWAY_SOURCE_PIN:
        return "the gateway of ANCHORD_EXT_GATEWAY_IP is not on link";
    case GATEWAY_SOURCE_IPAM:
        return "the network's IPAM gateway is not on link";
    case GATEWAY_SOURCE_LEASE:
        return "the lease's gateway is not on link";
    case GATEWAY_SOURCE_DNS:
    case GATEWAY_SOURCE_NONE:
    case GATEWAY_SOURCE_ADVERTISEMENT:
    case GATEWAY_SOURCE_MAX_:
        break;
    }
    return "no gateway is pinned, configured in IPAM or advertised";
}

/* A LAN without IPv6 is nothing to warn of. */
static bool expects_gateway(const struct family_state *family, const struct network_link *external)
{
    if (family->family == IP_FAMILY_4 || family->pin.family || family->choice.source != GATEWAY_SOURCE_NONE)
        return true;
    for (uint32_t i = 0; external && i < external->address_count; i++) {
        const struct ip_address *address = &external->addresses[i].address;

        if (address->family == family->family && !ip_address_is_link_local(address))
            return true;
    }
    return false;
}

void network_report_gateway(const struct family_state *family, const struct network_link *external)
{
    const struct gateway_choice *choice = &family->choice;
    char gateway[IP_ADDRESS_TEXT_SIZE];

    if (family->link_index == 0 || choice->count == 0) {
        log_at(expects_gateway(family, external) ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
               "unreachable: no external gateway, nothing leaves",
               LOG_TEXT("family", ip_family_to_string(family->family)),
               LOG_TEXT("reason", why_no_gateway(family, external)));
        return;
    }
    log_info("external gateway chosen", LOG_TEXT("family", ip_family_to_string(family->family)),
             LOG_TEXT("gateway", ip_address_format(&choice->gateways[0].address, gateway)),
             LOG_TEXT("source", gateway_source_to_string(choice->source)), LOG_TEXT("interface", external->name),
             LOG_NUMBER("routers", choice->count));
}
