/* What a link is set to, and which of its addresses count; see link_details.h. Runs in anchord-netadmin. */
#include "workers/netadmin/link/link_details.h"

#include "workers/netlink/plan/route_list.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <string.h>
#include <sys/socket.h>

/* Attribute numbers below IFLA_AF_SPEC are address families; we look at these two. */
#define AF_SPEC_MAXIMUM AF_INET6

/* Some of the array that the kernel sends: IPv4 from 1 on (linux/ip.h), IPv6 from 0 on (linux/ipv6.h). */
static uint32_t array_get(const struct nlattr *array, size_t position)
{
    const uint32_t *values;

    if (!array || mnl_attr_get_payload_len(array) < (position + 1) * sizeof(*values))
        return 0;
    values = mnl_attr_get_payload(array);
    return values[position];
}

static uint32_t parse_ipv6_flags(const struct nlattr *inet6_conf)
{
    uint32_t accept_ra = array_get(inet6_conf, DEVCONF_ACCEPT_RA);
    uint32_t flags = 0;

    /* A device without this part has no IPv6 at all: module switched off, or an MTU below 1280. */
    if (!inet6_conf || array_get(inet6_conf, DEVCONF_DISABLE_IPV6))
        flags |= LINK_IPV6_DISABLED;
    if (array_get(inet6_conf, DEVCONF_FORWARDING))
        flags |= LINK_IPV6_FORWARDS;
    if (accept_ra == 2 || (accept_ra == 1 && !(flags & LINK_IPV6_FORWARDS)))
        flags |= LINK_IPV6_ACCEPTS_RA;
    return flags;
}

/* Of IFLA_AF_SPEC, or NULL. */
static struct device_settings read_settings(const struct nlattr *af_spec)
{
    const struct nlattr *families[AF_SPEC_MAXIMUM + 1];
    const struct nlattr *inet[IFLA_INET_MAX + 1];
    const struct nlattr *inet6[IFLA_INET6_MAX + 1];
    const struct nlattr *conf;

    rtnetlink_nested_attributes(af_spec, families, AF_SPEC_MAXIMUM);
    rtnetlink_nested_attributes(families[AF_INET], inet, IFLA_INET_MAX);
    rtnetlink_nested_attributes(families[AF_INET6], inet6, IFLA_INET6_MAX);
    conf = inet[IFLA_INET_CONF];
    return (struct device_settings){
        .forwarding = array_get(conf, IPV4_DEVCONF_FORWARDING - 1),
        .arp_ignore = array_get(conf, IPV4_DEVCONF_ARP_IGNORE - 1),
        .arp_announce = array_get(conf, IPV4_DEVCONF_ARP_ANNOUNCE - 1),
        .promote_secondaries = array_get(conf, IPV4_DEVCONF_PROMOTE_SECONDARIES - 1),
        .rp_filter = array_get(conf, IPV4_DEVCONF_RP_FILTER - 1),
        .route_length6 = array_get(inet6[IFLA_INET6_CONF], DEVCONF_ACCEPT_RA_RT_INFO_MAX_PLEN),
        .ipv6_flags = parse_ipv6_flags(inet6[IFLA_INET6_CONF]),
    };
}

/* What goes first when there is no room: whoever advertises prefixes on the LAN adds as many as he likes. */
static int expendability(const struct link_address *address)
{
    bool is_ours = address->protocol == ROUTE_PROTOCOL ||
                   (address->protocol == IFAPROT_UNSPEC && !(address->flags & IFA_F_PERMANENT));
    bool is_advertised = address->protocol == IFAPROT_KERNEL_RA || address->flags & IFA_F_MANAGETEMPADDR ||
                         (!(address->flags & IFA_F_PERMANENT) && address->address.family == IP_FAMILY_6 &&
                          address->prefix_length < ip_family_bits(IP_FAMILY_6));

    if (address->address.family == IP_FAMILY_6 && address->flags & IFA_F_TEMPORARY) /* IPv4: IFA_F_SECONDARY */
        return 4;
    if (is_advertised)
        return address->flags & IFA_F_DEPRECATED ? 3 : 2;
    return is_ours ? 0 : 1;
}

/*
 * Of equals the newest: Docker's are there before anybody adds some. Of one hundredth of a second, in which the kernel
 * counts, one of the family that has more (`crowded`), and of that as the kernel lists them: IPv4's newest last, IPv6's
 * first. `address` stands before `other` there.
 */
static bool goes_before(const struct link_address *address, const struct link_address *other, enum ip_family crowded)
{
    int difference = expendability(address) - expendability(other);
    int32_t age = (int32_t)(address->created - other->created);

    if (difference)
        return difference > 0;
    if (age != 0)
        return age > 0;
    if (address->address.family != other->address.family)
        return address->address.family == crowded;
    return address->address.family == IP_FAMILY_6;
}

static enum ip_family find_crowded(const struct network_link *link, const struct link_address *further)
{
    int more6 = further->address.family == IP_FAMILY_6 ? 1 : -1;

    for (size_t i = 0; i < LINK_ADDRESSES_MAX; i++)
        more6 += link->addresses[i].address.family == IP_FAMILY_6 ? 1 : -1;
    return more6 > 0 ? IP_FAMILY_6 : IP_FAMILY_4;
}

static void make_room(struct network_link *link, const struct link_address *address)
{
    enum ip_family crowded = find_crowded(link, address);
    const struct link_address *victim = address;
    size_t place;

    for (uint32_t i = LINK_ADDRESSES_MAX; i-- > 0;) {
        if (goes_before(&link->addresses[i], victim, crowded))
            victim = &link->addresses[i];
    }
    if (victim == address)
        return;
    place = (size_t)(victim - link->addresses);
    memmove(&link->addresses[place], &link->addresses[place + 1], (LINK_ADDRESSES_MAX - 1 - place) * sizeof(*address));
    link->addresses[LINK_ADDRESSES_MAX - 1] = *address;
}

const struct link_details link_details = {read_settings, make_room};
