/* Per-device settings by netlink; see device_settings.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/link/device_settings.h"

#include <netinet/in.h>

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

/* Unknown, as in a kernel that does not tell, is no reason to complain. */
static void on_forwarding6(const struct nlmsghdr *message, void *userdata)
{
    const struct nlattr *attributes[NETCONFA_MAX + 1];
    const struct netconfmsg *header = mnl_nlmsg_get_payload(message);
    int *forwards = userdata;

    if (message->nlmsg_type != RTM_NEWNETCONF || mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
        header->ncm_family != AF_INET6)
        return;
    rtnetlink_attributes(message, sizeof(*header), attributes, NETCONFA_MAX);
    if ((int)rtnetlink_get_u32(attributes[NETCONFA_IFINDEX], 0) == NETCONFA_IFINDEX_ALL)
        *forwards = rtnetlink_get_u32(attributes[NETCONFA_FORWARDING], 1) ? 1 : 0;
}

int device_settings_read_forwarding6(struct rtnetlink *rtnetlink)
{
    struct netconfmsg *header = rtnetlink_begin(rtnetlink, "list", RTM_GETNETCONF, 0, sizeof(*header));
    int forwards = 1;
    int result;

    header->ncm_family = AF_INET6;
    rtnetlink_describe(rtnetlink, "net.ipv6.conf");
    result = rtnetlink_dump(rtnetlink, on_forwarding6, &forwards);
    return result < 0 ? result : forwards;
}

int device_settings_apply(struct rtnetlink *rtnetlink, uint32_t index, const char *name, enum device_side side,
                          const struct device_settings *current)
{
    bool is_external = side == DEVICE_SIDE_EXTERNAL;
    const struct {
        uint16_t setting;
        uint32_t current;
        uint32_t wanted;
    } settings[] = {
        {IPV4_DEVCONF_FORWARDING, current->forwarding, 1},
        {IPV4_DEVCONF_PROMOTE_SECONDARIES, current->promote_secondaries, 1},
        {IPV4_DEVCONF_RP_FILTER, current->rp_filter, side == DEVICE_SIDE_ATTACHED ? 2 : current->rp_filter},
        {IPV4_DEVCONF_ARP_IGNORE, current->arp_ignore, is_external ? 1 : current->arp_ignore},
        {IPV4_DEVCONF_ARP_ANNOUNCE, current->arp_announce, is_external ? 2 : current->arp_announce},
    };
    struct ifinfomsg *link = rtnetlink_begin(rtnetlink, "change settings of device", RTM_SETLINK, 0, sizeof(*link));
    struct nlmsghdr *message = rtnetlink_message(rtnetlink);
    struct nlattr *nests[3];
    bool differs = false;
    int result;

    rtnetlink_describe(rtnetlink, "net.ipv4.conf.%s", name);
    link->ifi_index = (int)index;
    nests[0] = mnl_attr_nest_start(message, IFLA_AF_SPEC);
    nests[1] = mnl_attr_nest_start(message, AF_INET);
    nests[2] = mnl_attr_nest_start(message, IFLA_INET_CONF);
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        if (settings[i].current == settings[i].wanted)
            continue;
        mnl_attr_put_u32(message, settings[i].setting, settings[i].wanted);
        differs = true;
    }
    for (size_t i = ARRAY_LENGTH(nests); i-- > 0;)
        mnl_attr_nest_end(message, nests[i]);
    if (!differs)
        return 0;
    result = rtnetlink_execute(rtnetlink);
    return result < 0 ? result : 1;
}
