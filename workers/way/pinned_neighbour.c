/* The next hop as a neighbour; see pinned_neighbour.h. Runs in anchord-way with CAP_NET_ADMIN. */
#include "workers/way/pinned_neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

static void begin(struct rtnetlink *rtnetlink, uint16_t type, const struct network_link *link,
                  const struct ip_address *address)
{
    bool is_removal = type == RTM_DELNEIGH;
    struct ndmsg *header = rtnetlink_begin(rtnetlink, is_removal ? "delete neighbour" : "replace neighbour", type,
                                           is_removal ? 0 : NLM_F_CREATE | NLM_F_REPLACE, sizeof(*header));

    header->ndm_family = (uint8_t)ip_family_to_kernel(address->family);
    header->ndm_ifindex = (int)link->index;
    header->ndm_state = NUD_PERMANENT;
    mnl_attr_put(rtnetlink_message(rtnetlink), NDA_DST, ip_family_length(address->family), address->bytes);
    rtnetlink_describe(rtnetlink, "%s dev %s", IP_ADDRESS_TEXT(address), link->name);
}

int pinned_neighbour_put(struct rtnetlink *rtnetlink, const struct network_link *link, const struct ip_address *address,
                         const struct mac_address *mac)
{
    begin(rtnetlink, RTM_NEWNEIGH, link, address);
    mnl_attr_put(rtnetlink_message(rtnetlink), NDA_LLADDR, sizeof(mac->bytes), mac->bytes);
    return rtnetlink_execute(rtnetlink);
}

int pinned_neighbour_remove(struct rtnetlink *rtnetlink, const struct link_table *links,
                            const struct ip_address *address)
{
    int first = 0;

    for (size_t i = 0; i < links->count; i++) {
        int result;

        begin(rtnetlink, RTM_DELNEIGH, &links->links[i], address);
        result = rtnetlink_execute(rtnetlink);
        if (result < 0 && result != -ENOENT && first == 0)
            first = result;
    }
    return first;
}
