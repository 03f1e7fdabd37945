/* Links and requests about them; see link_requests.h. Runs in anchord-links with CAP_NET_ADMIN. */
#include "workers/links/link_requests.h"

#include "common/text.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct reading {
    link_filter filter;
    const void *userdata;
    struct link_snapshot *snapshot;
    bool is_full;
};

static bool is_text(const struct nlattr *attribute, const char *text)
{
    return attribute && text_is_terminated(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute)) &&
           strcmp(mnl_attr_get_str(attribute), text) == 0;
}

/* Without the attribute, or where it does not fit: empty. */
static void copy_text(char *target, size_t size, const struct nlattr *attribute)
{
    target[0] = '\0';
    if (attribute && text_is_terminated(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute)) &&
        text_copy(target, size, mnl_attr_get_str(attribute)) < 0)
        target[0] = '\0';
}

static void on_link(const struct nlmsghdr *message, void *userdata)
{
    struct reading *reading = userdata;
    struct link_snapshot *snapshot = reading->snapshot;
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[IFLA_MAX + 1];
    const struct nlattr *info[IFLA_INFO_MAX + 1];
    struct seen_link link = {0};

    if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return;
    rtnetlink_attributes(message, sizeof(*header), attributes, IFLA_MAX);
    copy_text(link.name, sizeof(link.name), attributes[IFLA_IFNAME]);
    if (link.name[0] == '\0' || !reading->filter(link.name, reading->userdata))
        return;
    reading->is_full = snapshot->count == SEEN_LINKS_MAX;
    if (reading->is_full)
        return;
    rtnetlink_nested_attributes(attributes[IFLA_LINKINFO], info, IFLA_INFO_MAX);
    link.index = (uint32_t)header->ifi_index;
    link.is_up = header->ifi_flags & IFF_UP;
    link.master = rtnetlink_get_u32(attributes[IFLA_MASTER], 0);
    link.lower = rtnetlink_get_u32(attributes[IFLA_LINK], 0);
    link.mtu = rtnetlink_get_u32(attributes[IFLA_MTU], 0);
    link.is_bridge = is_text(info[IFLA_INFO_KIND], "bridge");
    link.is_bridge_port = is_text(info[IFLA_INFO_SLAVE_KIND], "bridge");
    if (attributes[IFLA_ADDRESS] && mnl_attr_get_payload_len(attributes[IFLA_ADDRESS]) == sizeof(link.mac))
        memcpy(&link.mac, mnl_attr_get_payload(attributes[IFLA_ADDRESS]), sizeof(link.mac));
    copy_text(link.alias, sizeof(link.alias), attributes[IFLA_IFALIAS]);
    snapshot->links[snapshot->count++] = link;
}

int link_requests_read(struct rtnetlink *rtnetlink, link_filter filter, const void *userdata,
                       struct link_snapshot *snapshot)
{
    int result = -EINTR;

    for (int i = 0; i < LINK_READ_ATTEMPTS && result == -EINTR; i++) {
        struct reading reading = {filter, userdata, snapshot, false};

        snapshot->count = 0;
        (void)rtnetlink_begin(rtnetlink, "list links", RTM_GETLINK, 0, sizeof(struct ifinfomsg));
        mnl_attr_put_u32(rtnetlink_message(rtnetlink), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        result = rtnetlink_dump(rtnetlink, on_link, &reading);
        if (result == 0 && reading.is_full)
            result = -E2BIG;
    }
    return result;
}

const struct seen_link *link_snapshot_find(const struct link_snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        if (strcmp(snapshot->links[i].name, name) == 0)
            return &snapshot->links[i];
    }
    return NULL;
}

static struct ifinfomsg *begin(struct rtnetlink *rtnetlink, const char *operation, uint16_t type, uint16_t flags,
                               const char *object)
{
    struct ifinfomsg *header = rtnetlink_begin(rtnetlink, operation, type, flags, sizeof(*header));

    rtnetlink_describe(rtnetlink, "%s", object);
    return header;
}

void link_requests_add_external(struct rtnetlink *rtnetlink, const struct seen_link *parent, int namespace,
                                const struct mac_address *mac)
{
    struct nlmsghdr *message = rtnetlink_message(rtnetlink);
    struct nlattr *info;
    struct nlattr *data;

    (void)begin(rtnetlink, "add link", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, IDENTITY_EXTERNAL_LINK);
    mnl_attr_put_strz(message, IFLA_IFNAME, IDENTITY_EXTERNAL_LINK);
    mnl_attr_put_u32(message, IFLA_LINK, parent->index);
    mnl_attr_put(message, IFLA_ADDRESS, sizeof(*mac), mac);
    mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t) namespace);
    info = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "macvlan");
    data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    mnl_attr_put_u32(message, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
    mnl_attr_nest_end(message, data);
    mnl_attr_nest_end(message, info);
}

void link_requests_add_pair(struct rtnetlink *rtnetlink, const struct seen_link *bridge, const struct link_end *outer,
                            const struct link_end *inner, int namespace)
{
    struct nlmsghdr *message = rtnetlink_message(rtnetlink);
    struct nlattr *info;
    struct nlattr *data;
    struct nlattr *peer;

    (void)begin(rtnetlink, "add link", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, outer->name);
    mnl_attr_put_strz(message, IFLA_IFNAME, outer->name);
    mnl_attr_put(message, IFLA_ADDRESS, sizeof(outer->mac), &outer->mac);
    mnl_attr_put_u32(message, IFLA_MTU, bridge->mtu);
    if (bridge->index > 0)
        mnl_attr_put_u32(message, IFLA_MASTER, bridge->index);
    info = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
    data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
    memset(mnl_nlmsg_get_payload_tail(message), 0, sizeof(struct ifinfomsg));
    message->nlmsg_len += sizeof(struct ifinfomsg);
    mnl_attr_put_strz(message, IFLA_IFNAME, inner->name);
    mnl_attr_put(message, IFLA_ADDRESS, sizeof(inner->mac), &inner->mac);
    mnl_attr_put_u32(message, IFLA_MTU, bridge->mtu);
    mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t) namespace);
    mnl_attr_nest_end(message, peer);
    mnl_attr_nest_end(message, data);
    mnl_attr_nest_end(message, info);
}

void link_requests_set_eui64(struct rtnetlink *rtnetlink, const char *outer)
{
    struct nlmsghdr *message = rtnetlink_message(rtnetlink);
    struct nlattr *families;
    struct nlattr *family;

    (void)begin(rtnetlink, "set addrgenmode", RTM_SETLINK, 0, outer);
    mnl_attr_put_strz(message, IFLA_IFNAME, outer);
    families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
    family = mnl_attr_nest_start(message, AF_INET6);
    mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_EUI64);
    mnl_attr_nest_end(message, family);
    mnl_attr_nest_end(message, families);
}

void link_requests_dress(struct rtnetlink *rtnetlink, const char *outer, const char *alias)
{
    struct ifinfomsg *header = begin(rtnetlink, "name link", RTM_SETLINK, 0, outer);

    header->ifi_flags = header->ifi_change = IFF_UP;
    mnl_attr_put_strz(rtnetlink_message(rtnetlink), IFLA_IFNAME, outer);
    mnl_attr_put_strz(rtnetlink_message(rtnetlink), IFLA_IFALIAS, alias);
}

static struct ifinfomsg *begin_change(struct rtnetlink *rtnetlink, const char *operation, uint16_t type,
                                      const struct seen_link *link)
{
    struct ifinfomsg *header = begin(rtnetlink, operation, type, 0, link->name);

    header->ifi_index = (int)link->index;
    return header;
}

void link_requests_enslave(struct rtnetlink *rtnetlink, const struct seen_link *outer, const struct seen_link *bridge)
{
    struct ifinfomsg *header = begin_change(rtnetlink, "set link", RTM_SETLINK, outer);

    header->ifi_flags = header->ifi_change = IFF_UP;
    mnl_attr_put_u32(rtnetlink_message(rtnetlink), IFLA_MASTER, bridge->index);
}

void link_requests_set_mtu(struct rtnetlink *rtnetlink, const struct seen_link *link, uint32_t mtu)
{
    (void)begin_change(rtnetlink, "set MTU", RTM_SETLINK, link);
    mnl_attr_put_u32(rtnetlink_message(rtnetlink), IFLA_MTU, mtu);
}

void link_requests_delete(struct rtnetlink *rtnetlink, const struct seen_link *link)
{
    (void)begin_change(rtnetlink, "delete link", RTM_DELLINK, link);
}
