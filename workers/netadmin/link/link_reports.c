/* What is said of the two links; see link_reports.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/link/link_reports.h"

#include "common/log.h"
#include "workers/netadmin/link/device_settings.h"

#include <stdio.h>
#include <string.h>

/* NAT-13: no netlink message reaches this setting. */
#define FORWARDING6_REMEDY "sysctls: net.ipv6.conf.all.forwarding: \"1\""

static void report_link(struct link_reports *reports, const struct network_ground *ground, enum device_side side,
                        const struct wire_network *wire)
{
    const char *name = side == DEVICE_SIDE_EXTERNAL ? "external" : "shared";
    const struct network_link *link = network_ground_find(ground, side);
    char mac[MAC_ADDRESS_TEXT_SIZE];
    char message[64];

    (void)mac_address_format(&wire->mac, mac);
    if (!link && !reports->has_reported_missing[side]) {
        reports->has_reported_missing[side] = true;
        reports->index[side] = 0;
        (void)snprintf(message, sizeof(message), "%s interface not there", name);
        log_warn(message, LOG_TEXT("network", wire->name), LOG_TEXT("mac", mac));
    }
    if (!link || reports->index[side] == link->index)
        return;
    reports->has_reported_missing[side] = false;
    reports->index[side] = link->index;
    /* Only where ANCHORD_EXT_NETWORK decided does the external network have a name here (ADDR-9). */
    (void)snprintf(message, sizeof(message), "%s interface resolved%s", name,
                   side == DEVICE_SIDE_EXTERNAL && wire->name[0] != '\0' ? " by network" : "");
    log_info(message, LOG_TEXT("interface", link->name), LOG_TEXT("network", wire->name), LOG_TEXT("mac", mac),
             LOG_NUMBER("index", link->index), LOG_NUMBER("mtu", link->mtu));
}

/* Of inner links inner_guard.c says it, where it means something else. */
static void report_left_out(struct link_reports *reports, const struct network_ground *ground)
{
    const struct network_link *link = network_ground_find(ground, DEVICE_SIDE_EXTERNAL);
    bool has_too_many = link && link->left_out > 0;

    if (has_too_many && !reports->has_reported_left_out)
        log_warn("more addresses on the interface than anchord serves: temporary, deprecated and advertised ones are "
                 "left out, then the newest",
                 LOG_TEXT("interface", link->name), LOG_NUMBER("served", LINK_ADDRESSES_MAX),
                 LOG_NUMBER("left_out", link->left_out));
    reports->has_reported_left_out = has_too_many;
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

static void report_forwarding6(struct link_reports *reports, const struct network_ground *ground)
{
    const struct network_link *external = network_ground_find(ground, DEVICE_SIDE_EXTERNAL);
    const struct network_link *shared = network_ground_find(ground, DEVICE_SIDE_SHARED);
    bool lacks = has_subnet6(&ground->topology.shared) && (has_ipv6(external) || has_ipv6(shared)) &&
                 device_settings_read_forwarding6(ground->rtnetlink) == 0;

    if (lacks && !reports->has_reported_forwarding6)
        log_error("IPv6 forwarding is off: no IPv6 reaches or leaves the project; add to this service in Compose",
                  LOG_TEXT("remedy", FORWARDING6_REMEDY));
    reports->has_reported_forwarding6 = lacks;
}

void link_reports_say(struct link_reports *reports, const struct network_ground *ground)
{
    report_link(reports, ground, DEVICE_SIDE_EXTERNAL, &ground->topology.external);
    report_link(reports, ground, DEVICE_SIDE_SHARED, &ground->topology.shared);
    report_left_out(reports, ground);
    report_forwarding6(reports, ground);
}
