/* The links of an attached identity; see attached_links.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/link/attached_links.h"

#include "common/log.h"
#include "workers/netadmin/link/address_change.h"
#include "workers/netadmin/link/device_settings.h"
#include "workers/netadmin/link/link_local.h"
#include "workers/netlink/plan/route_list.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

static_assert(LINKS_MAX >= SHARED_LINKS_MAX + 2 + 14, "ours fit beside what tunnel modules put into a namespace");

bool attached_links_is_inner(const struct network_link *link)
{
    return strncmp(link->name, IDENTITY_SHARED_LINKS, strlen(IDENTITY_SHARED_LINKS)) == 0 ||
           strcmp(link->name, IDENTITY_HOST_LINK) == 0;
}

static int set_up(struct rtnetlink *rtnetlink, const struct network_link *link, bool is_up)
{
    struct ifinfomsg *header =
        rtnetlink_begin(rtnetlink, is_up ? "bring up" : "bring down", RTM_NEWLINK, 0, sizeof(*header));

    header->ifi_index = (int)link->index;
    header->ifi_flags = is_up ? IFF_UP : 0;
    header->ifi_change = IFF_UP;
    rtnetlink_describe(rtnetlink, "link %s", link->name);
    return rtnetlink_execute(rtnetlink);
}

/* Settings before it is up: nothing passes by others; an inner one behind the rules: the skeleton lets anybody be a
 * router. Returns how many things were changed, or a negative errno. */
static int settle(struct network_ground *ground, const struct network_link *link)
{
    const struct link_address next_hop = {
        .address = ground->next_hop,
        .prefix_length = (uint8_t)ip_family_bits(ground->next_hop.family),
        .protocol = ROUTE_PROTOCOL,
        .flags = IFA_F_PERMANENT,
    };
    int result = 0, changes = 0;

    if (attached_links_is_inner(link))
        changes =
            device_settings_apply(ground->rtnetlink, link->index, link->name, DEVICE_SIDE_ATTACHED, &link->settings);
    if (changes >= 0 && attached_links_is_inner(link) && !network_link_find(link, &ground->next_hop)) {
        result = address_add(ground->rtnetlink, link, &next_hop, false);
        changes++;
    }
    if (changes >= 0 && result == 0 && !link->is_up && (ground->has_rules || !attached_links_is_inner(link))) {
        result = set_up(ground->rtnetlink, link, true);
        changes++;
    }
    if (changes >= 0 && result == 0 && attached_links_is_inner(link))
        result = link_local_settle(ground->rtnetlink, link);
    return result < 0 ? result : changes + result;
}

int attached_links_settle(struct network_ground *ground)
{
    const struct network_link *external = network_ground_find(ground, DEVICE_SIDE_EXTERNAL);
    int first = 0;

    for (size_t i = 0; i < ground->links.count && ground->is_attached; i++) {
        const struct network_link *link = &ground->links.links[i];
        int result = link == external || attached_links_is_inner(link) ? settle(ground, link) : 0;

        if (result > 0)
            log_info("link made ready", LOG_TEXT("interface", link->name));
        if (result < 0 && first == 0) /* of several the first is said */
            first = network_ground_report(ground, NETWORK_STEP_ATTACHED_LINKS, result);
    }
    return first < 0 ? first : network_ground_report(ground, NETWORK_STEP_ATTACHED_LINKS, 0);
}

int attached_links_lower(struct network_ground *ground)
{
    int first = 0;

    for (size_t i = 0; i < ground->links.count && ground->is_attached; i++) {
        const struct network_link *link = &ground->links.links[i];

        if (attached_links_is_inner(link) && link->is_up)
            keep_first(&first, set_up(ground->rtnetlink, link, false));
    }
    return network_ground_report(ground, NETWORK_STEP_ATTACHED_LINKS, first);
}

bool attached_links_are_made(const struct network_ground *ground)
{
    const struct message_shared_links *told = &ground->shared_links;
    uint32_t made = 0;

    for (uint32_t i = 0; i < told->count; i++) {
        const struct network_link *link = link_table_find_name(&ground->links, told->items[i].name);

        made += link && link->is_up && network_link_find(link, &ground->next_hop);
    }
    return told->header.type != MESSAGE_INVALID && told->count > 0 && made == told->count;
}
