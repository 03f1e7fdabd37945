/* The kind of a link; see link_kind.h. Runs in anchord-way with CAP_NET_ADMIN. */
#include "workers/way/link_kind.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

static const char veth[] = "veth";

struct search {
    int32_t index;
    int is_veth;
};

static void on_link(const struct nlmsghdr *message, void *userdata)
{
    struct search *search = userdata;
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[IFLA_MAX + 1];
    const struct nlattr *info[IFLA_INFO_MAX + 1];
    const struct nlattr *kind;

    if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
        header->ifi_index != search->index)
        return;
    rtnetlink_attributes(message, sizeof(*header), attributes, IFLA_MAX);
    rtnetlink_nested_attributes(attributes[IFLA_LINKINFO], info, IFLA_INFO_MAX);
    kind = info[IFLA_INFO_KIND];
    search->is_veth = kind && mnl_attr_get_payload_len(kind) == sizeof(veth) &&
                      memcmp(mnl_attr_get_payload(kind), veth, sizeof(veth)) == 0;
}

int link_kind_is_veth(struct rtnetlink *rtnetlink, uint32_t index)
{
    struct search search = {.index = (int32_t)index};
    int result;

    (void)rtnetlink_begin(rtnetlink, "look at", RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    mnl_attr_put_u32(rtnetlink_message(rtnetlink), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    rtnetlink_describe(rtnetlink, "link %u", index);
    result = rtnetlink_dump(rtnetlink, on_link, &search);
    /* Interrupted, the links have changed, and the notification of that brings the next look. */
    return result == 0 || result == -EINTR ? search.is_veth : result;
}
