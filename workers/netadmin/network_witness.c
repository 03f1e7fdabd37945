/*
 * What the kernel bears out of the topology (WALL-5); see network_internal.h. Runs in anchord-netadmin with
 * CAP_NET_ADMIN.
 *
 * Docker tells the watcher, and the watcher tells us: a watcher that was taken over could name any address as our own,
 * and half of the world as the shared network's subnet. What it names counts only as far as the links had it, before we
 * changed anything there: a permanent address that is neither ours nor a router's. We never take an address from the
 * shared link, so that a successor sees there what we saw. On the external one a lease takes the place of Docker's
 * address; that one stands in table 24943 from the first, for whoever comes after us, as a route that decides nothing:
 *
 *     throw 10.99.0.50 proto 110 metric 24        (the metric is the prefix length)
 */
#include "common/log.h"
#include "workers/netadmin/network_internal.h"
#include "workers/netadmin/route/route_table.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* Whether it was on its link before we, a lease or a router put anything there. */
static bool is_dockers(const struct link_address *address)
{
    return (address->flags & IFA_F_PERMANENT) && !(address->flags & IFA_F_MANAGETEMPADDR) &&
           address->protocol != IFAPROT_KERNEL_RA && !address_is_leased(address);
}

/* --- the external link's own addresses ------------------------------------------------------------------ */

static struct ip_address named_address(const struct network *network, size_t family_index)
{
    const struct wire_network *external = &network->ground.topology.external;

    return wire_address_to(family_index == FAMILY_INDEX_4 ? &external->own4 : &external->own6);
}

struct link_address network_bootstrap_address(const struct network *network, uint8_t family)
{
    size_t family_index = family == IP_FAMILY_4 ? FAMILY_INDEX_4 : FAMILY_INDEX_6;
    struct ip_address named = named_address(network, family_index);

    if (ip_address_equal(&network->addresses[family_index].witnessed.address, &named))
        return network->addresses[family_index].witnessed;
    return (struct link_address){.address.family = IP_FAMILY_NONE};
}

/* Once, and before anything is changed. Without policy routing there is no table to remember in. */
static int recall(struct network *network, const struct family_state *family, struct family_addresses *addresses)
{
    struct rtnetlink_request request;
    int result;

    if (addresses->has_recalled || family->table == RT_TABLE_MAIN)
        return 0;
    result = route_table_read_remembered(network->ground.rtnetlink, &request, family->family, &addresses->witnessed);
    if (result == -EAFNOSUPPORT || result == -EOPNOTSUPP)
        return 0;
    if (network_ground_report(&network->ground, NETWORK_STEP_WITNESS, &request, result) < 0)
        return result;
    addresses->has_recalled = true;
    return 0;
}

static void witness_own(struct network *network, size_t family_index, const struct network_link *external)
{
    struct family_addresses *addresses = &network->addresses[family_index];
    struct ip_address named = named_address(network, family_index);
    bool has_family = false;
    char text[IP_ADDRESS_TEXT_SIZE];

    for (uint32_t i = 0; i < external->address_count && named.family != IP_FAMILY_NONE; i++) {
        const struct link_address *address = &external->addresses[i];

        has_family = has_family || address->address.family == named.family;
        if (!ip_address_equal(&address->address, &named) || !is_dockers(address))
            continue;
        addresses->witnessed = (struct link_address){
            .address = named,
            .prefix_length = address->prefix_length,
            .flags = named.family == IP_FAMILY_6 ? IFA_F_NODAD : 0,
        };
        return;
    }
    if (!has_family || addresses->has_reported_own || ip_address_equal(&addresses->witnessed.address, &named))
        return;
    addresses->has_reported_own = true;
    log_error("own address refused: the interface does not have it", LOG_TEXT("interface", external->name),
              LOG_TEXT("address", ip_address_format(&named, text)),
              LOG_TEXT("network", network->ground.topology.external.name));
}

/* --- the shared link's subnets -------------------------------------------------------------------------- */

/* A link without IPv6 proves nothing, and nothing can be done there. */
static bool is_borne_out(const struct network_link *link, const struct ip_subnet *subnet, bool *ret_has_family)
{
    *ret_has_family = false;
    if (subnet->address.family == IP_FAMILY_6 && link->settings.ipv6_flags & LINK_IPV6_DISABLED)
        return true;
    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct link_address *address = &link->addresses[i];

        if (address->address.family != subnet->address.family || ip_address_is_link_local(&address->address))
            continue;
        *ret_has_family = true;
        if (address->prefix_length == subnet->prefix_length && ip_subnet_contains(subnet, &address->address) &&
            is_dockers(address))
            return true;
    }
    return false;
}

static void report_subnet(struct network *network, uint32_t index, const struct network_link *link,
                          const struct ip_subnet *subnet)
{
    char text[IP_SUBNET_TEXT_SIZE];

    if (network->has_reported_subnet[index])
        return;
    network->has_reported_subnet[index] = true;
    log_error("subnet of the shared network refused: the interface has no address in it",
              LOG_TEXT("interface", link->name), LOG_TEXT("subnet", ip_subnet_format(subnet, text)),
              LOG_TEXT("network", network->ground.topology.shared.name));
}

/* What was borne out stays so while the link is there: IPv6 addresses go when it is down. */
static void witness_shared(struct network *network)
{
    const struct network_link *link = network_ground_find(&network->ground, DEVICE_SIDE_SHARED);
    const struct wire_network *named = &network->ground.topology.shared;
    struct wire_network *believed = &network->shared_believed;

    if (!link || link->index != network->believed_index)
        memset(network->is_borne_out, 0, sizeof(network->is_borne_out));
    network->believed_index = link ? link->index : 0;
    *believed = *named;
    believed->subnet_count = 0;
    for (uint32_t i = 0; i < named->subnet_count && link; i++) {
        struct ip_subnet subnet = {wire_address_to(&named->subnets[i].address), named->subnets[i].prefix_length};
        bool has_family = false;

        if (!network->is_borne_out[i])
            network->is_borne_out[i] = is_borne_out(link, &subnet, &has_family);
        if (network->is_borne_out[i])
            believed->subnets[believed->subnet_count++] = named->subnets[i];
        else if (has_family)
            report_subnet(network, i, link, &subnet);
    }
}

const struct wire_network *network_shared_believed(const struct network *network)
{
    return &network->shared_believed;
}

int network_witness(struct network *network)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    int first = 0;

    witness_shared(network);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && external; i++) {
        struct family_state *family = &network->families[i];
        int result = family->is_absent ? 0 : network_choose_table(network, family);

        if (result == 0)
            result = recall(network, family, &network->addresses[i]);
        witness_own(network, i, external);
        first = first < 0 ? first : result;
    }
    return first;
}
