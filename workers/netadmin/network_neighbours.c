/* What the kernel remembers of backends' link-layer addresses; see network.h. Runs in anchord-netadmin (CAP_NET_ADMIN).
 */
#include "workers/netadmin/map_difference.h"
#include "workers/netadmin/network_internal.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

/* ip neighbour del ADDRESS dev LINK */
static int forget(struct network *network, const struct network_link *link, const struct ip_address *address)
{
    struct rtnetlink_request request;
    struct ndmsg *header = rtnetlink_request_begin(&request, "delete neighbour", RTM_DELNEIGH, 0, sizeof(*header));
    char text[IP_ADDRESS_TEXT_SIZE];
    int result;

    header->ndm_family = (uint8_t)ip_family_to_kernel(address->family);
    header->ndm_ifindex = (int)link->index;
    mnl_attr_put(rtnetlink_request_message(&request), NDA_DST, ip_family_length(address->family), address->bytes);
    (void)snprintf(request.object, sizeof(request.object), "%s dev %s", ip_address_format(address, text), link->name);
    result = rtnetlink_execute(network->rtnetlink, &request);
    if (result == -ENOENT) /* nobody has asked for it yet */
        result = 0;
    return network_report_result(network, NETWORK_STEP_NEIGHBOURS, &request, result);
}

static bool is_named(const struct map *map, const uint8_t backend[16])
{
    for (size_t i = 0; i < map->count; i++) {
        if (memcmp(map->elements[i].backend, backend, sizeof(map->elements[i].backend)) == 0)
            return true;
    }
    return false;
}

/* What was there before is believed to be the same still: its flows go on undisturbed (NAT-3). */
static bool is_newcomer(const struct map *before, const uint8_t backend[16])
{
    return !is_named(&before[PROTOCOL_INDEX_TCP], backend) && !is_named(&before[PROTOCOL_INDEX_UDP], backend);
}

static void forget_newcomers(struct network *network, const struct network_link *link, uint8_t family,
                             const struct map *before, const struct map *added)
{
    for (size_t i = 0; i < added->count; i++) {
        const uint8_t *backend = added->elements[i].backend;
        struct ip_address address = ip_address_from_bytes(family, backend);

        if (i > 0 && memcmp(backend, added->elements[i - 1].backend, sizeof(address.bytes)) == 0)
            continue;
        if (is_newcomer(before, backend) && forget(network, link, &address) < 0)
            return;
    }
}

void network_forget_neighbours(struct network *network, const struct map_state *before,
                               const struct map_state_difference *difference)
{
    const struct network_link *link = network_find_link(network, DEVICE_SIDE_SHARED);

    for (size_t family = 0; link && family < FAMILY_INDEX_MAX_; family++) {
        for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++)
            forget_newcomers(network, link, family_index_to_family(family), before->maps[family],
                             &difference->maps[family][protocol].added);
    }
}
