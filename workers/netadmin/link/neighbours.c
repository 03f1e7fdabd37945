/* What the kernel remembers of backends' link-layer addresses; see neighbours.h. Runs in anchord-netadmin
 * (CAP_NET_ADMIN). */
#include "workers/netadmin/link/neighbours.h"

#include "common/log.h"
#include "workers/netadmin/link/attached_links.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

/* Of so many newcomers each is forgotten by a request of its own; of more, those that the kernel knows. */
#define ASKED_ONE_BY_ONE_MAX 16
/* The kernel keeps at most 1024 of a family in all namespaces together (net.ipv4.neigh.default.gc_thresh3), unless
 * somebody allowed it more; the probes of its own correct what is left. */
#define NEIGHBOURS_MAX 4096

/* ip neighbour del ADDRESS dev LINK */
static int forget(struct network_ground *ground, const struct network_link *link, const struct ip_address *address)
{
    struct ndmsg *header = rtnetlink_begin(ground->rtnetlink, "delete neighbour", RTM_DELNEIGH, 0, sizeof(*header));
    int result;

    header->ndm_family = (uint8_t)ip_family_to_kernel(address->family);
    header->ndm_ifindex = (int)link->index;
    mnl_attr_put(rtnetlink_message(ground->rtnetlink), NDA_DST, ip_family_length(address->family), address->bytes);
    rtnetlink_describe(ground->rtnetlink, "%s dev %s", IP_ADDRESS_TEXT(address), link->name);
    result = rtnetlink_execute(ground->rtnetlink);
    if (result == -ENOENT) /* nobody has asked for it yet */
        result = 0;
    return network_ground_report(ground, NETWORK_STEP_NEIGHBOURS, result);
}

/* --- many at once ---------------------------------------------------------------------------------------- */

struct neighbour_reading {
    const struct network_link *link;
    uint8_t family;
    const struct backend_list *newcomers;
    struct backend_list found; /* of the newcomers; room for NEIGHBOURS_MAX */
};

bool neighbour_parse(const struct nlmsghdr *message, uint8_t family, struct neighbour *ret)
{
    const struct nlattr *attributes[NDA_MAX + 1];
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);

    if (message->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
        ip_family_from_kernel(header->ndm_family) != family)
        return false;
    rtnetlink_attributes(message, sizeof(*header), attributes, NDA_MAX);
    if (!attributes[NDA_DST] || mnl_attr_get_payload_len(attributes[NDA_DST]) != ip_family_length(family))
        return false;
    *ret = (struct neighbour){
        .index = (uint32_t)header->ndm_ifindex,
        .state = header->ndm_state,
        .address = ip_address_from_bytes(family, mnl_attr_get_payload(attributes[NDA_DST])),
    };
    return true;
}

int neighbours_read(struct rtnetlink *rtnetlink, uint8_t family, uint32_t index, rtnetlink_handler handler,
                    void *userdata)
{
    struct ndmsg *header = rtnetlink_begin(rtnetlink, "list", RTM_GETNEIGH, 0, sizeof(*header));
    int result;

    header->ndm_family = (uint8_t)ip_family_to_kernel(family);
    mnl_attr_put_u32(rtnetlink_message(rtnetlink), NDA_IFINDEX, index);
    rtnetlink_describe(rtnetlink, "neighbours of link %u", index);
    result = rtnetlink_dump(rtnetlink, handler, userdata);
    return result == -EINTR ? 0 : result;
}

static void on_neighbour(const struct nlmsghdr *message, void *userdata)
{
    struct neighbour_reading *reading = userdata;
    struct neighbour neighbour;

    if (neighbour_parse(message, reading->family, &neighbour) && neighbour.index == reading->link->index &&
        reading->found.count < NEIGHBOURS_MAX && backend_list_contains(reading->newcomers, neighbour.address.bytes))
        memcpy(reading->found.items[reading->found.count++], neighbour.address.bytes, sizeof(neighbour.address.bytes));
}

static void forget_all(struct network_ground *ground, const struct network_link *link, uint8_t family,
                       const struct backend_list *backends)
{
    for (size_t i = 0; i < backends->count; i++) {
        struct ip_address address = ip_address_from_bytes(family, backends->items[i]);

        if (forget(ground, link, &address) < 0)
            return;
    }
}

/* One request for each would take seconds (measured: 65,535 of them); the kernel knows few of so many. */
static int forget_known(struct network_ground *ground, const struct network_link *link, uint8_t family,
                        const struct backend_list *newcomers)
{
    struct neighbour_reading reading = {.link = link, .family = family, .newcomers = newcomers};
    int result;

    reading.found.items = calloc(NEIGHBOURS_MAX, sizeof(*reading.found.items));
    if (!reading.found.items)
        return -ENOMEM;
    result = neighbours_read(ground->rtnetlink, family, link->index, on_neighbour, &reading);
    if (network_ground_report(ground, NETWORK_STEP_NEIGHBOURS, result) >= 0)
        forget_all(ground, link, family, &reading.found);
    backend_list_clear(&reading.found);
    return 0;
}

static void forget_on(struct network_ground *ground, const struct network_link *link,
                      const struct backend_list newcomers[FAMILY_INDEX_MAX_])
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        uint8_t family = family_index_to_family(i);
        int result = 0;

        if (newcomers[i].count <= ASKED_ONE_BY_ONE_MAX)
            forget_all(ground, link, family, &newcomers[i]);
        else
            result = forget_known(ground, link, family, &newcomers[i]);
        if (result < 0)
            log_error("neighbours of new backends not forgotten", LOG_ERROR(result));
    }
}

/* What was there before is believed to be the same still: its flows go on undisturbed (NAT-3). Under attach a newcomer
 * is on one of several links, and unknown on the others. */
void neighbours_forget(struct network_ground *ground, const struct backend_list newcomers[FAMILY_INDEX_MAX_])
{
    const struct network_link *shared = network_ground_find(ground, DEVICE_SIDE_SHARED);

    for (size_t i = 0; i < ground->links.count; i++) {
        const struct network_link *link = &ground->links.links[i];

        if (ground->is_attached ? attached_links_is_inner(link) : link == shared)
            forget_on(ground, link, newcomers);
    }
}
