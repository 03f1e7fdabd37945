/*
 * What the kernel bears out of the topology (WALL-5); see witness.h. Runs in anchord-netadmin, no privilege.
 *
 * Docker tells the watcher, and the watcher tells us: a watcher that was taken over could name any address as our own,
 * and half of the world as the shared network's subnet. What it names counts only as far as the links had it, before we
 * changed anything there: a permanent address that is neither ours nor a router's. We never take an address from the
 * shared link, so that a successor sees there what we saw. On the external one a lease takes the place of Docker's
 * address; that one stands in table 24943 from the first, for whoever comes after us, as a route that decides nothing:
 *
 *     throw 10.99.0.50 proto 110 metric 24        (the metric is the prefix length)
 */
#include "workers/netadmin/link/witness.h"

#include "common/log.h"
#include "protocol/problems.h"
#include "workers/netadmin/plan/address_plan.h"

#include <linux/if_addr.h>
#include <string.h>

/* Whether it was on its link before we, a lease or a router put anything there. */
static bool is_dockers(const struct link_address *address)
{
    return (address->flags & IFA_F_PERMANENT) && !(address->flags & IFA_F_MANAGETEMPADDR) &&
           address->protocol != IFAPROT_KERNEL_RA && !address_is_leased(address);
}

/* --- the external link's own addresses ------------------------------------------------------------------ */

static struct ip_address named_address(const struct network_ground *ground, size_t family_index)
{
    const struct wire_network *external = &ground->topology.external;

    return wire_address_to(family_index == FAMILY_INDEX_4 ? &external->own4 : &external->own6);
}

struct link_address witness_bootstrap(const struct witness *witness, const struct network_ground *ground,
                                      uint8_t family)
{
    size_t family_index = family == IP_FAMILY_4 ? FAMILY_INDEX_4 : FAMILY_INDEX_6;
    struct ip_address named = named_address(ground, family_index);

    if (ip_address_equal(&witness->own[family_index].address.address, &named))
        return witness->own[family_index].address;
    return (struct link_address){.address.family = IP_FAMILY_NONE};
}

static void witness_own(struct own_witness *own, const struct network_ground *ground, size_t family_index,
                        const struct network_link *external)
{
    struct ip_address named = named_address(ground, family_index);
    bool has_family = false;

    for (uint32_t i = 0; i < external->address_count && named.family != IP_FAMILY_NONE; i++) {
        const struct link_address *address = &external->addresses[i];

        has_family = has_family || address->address.family == named.family;
        if (!ip_address_equal(&address->address, &named) || !is_dockers(address))
            continue;
        own->address = (struct link_address){
            .address = named,
            .prefix_length = address->prefix_length,
            .flags = named.family == IP_FAMILY_6 ? IFA_F_NODAD : 0,
        };
        return;
    }
    if (!has_family || own->has_reported || ip_address_equal(&own->address.address, &named))
        return;
    own->has_reported = true;
    log_error("own address refused: the interface does not have it", LOG_PROBLEM(PROBLEM_TOPOLOGY_REFUSED),
              LOG_TEXT("interface", external->name), LOG_TEXT("address", IP_ADDRESS_TEXT(&named)),
              LOG_TEXT("network", ground->topology.external.name));
}

/* --- the shared link's subnets -------------------------------------------------------------------------- */

/* A link without IPv6 proves nothing, and nothing can be done there. Not for good: it may be given IPv6 later. */
static bool is_without(const struct network_link *link, const struct ip_subnet *subnet)
{
    return subnet->address.family == IP_FAMILY_6 && link->settings.ipv6_flags & LINK_IPV6_DISABLED;
}

static bool is_borne_out(const struct network_link *link, const struct ip_subnet *subnet, bool *ret_has_family)
{
    *ret_has_family = false;
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

static void report_subnet(struct witness *witness, const struct wire_network *named, uint32_t index,
                          const struct network_link *link, const struct ip_subnet *subnet)
{
    if (witness->has_reported_subnet[index])
        return;
    witness->has_reported_subnet[index] = true;
    log_error("subnet of transit refused: the interface has no address in it", LOG_PROBLEM(PROBLEM_TOPOLOGY_REFUSED),
              LOG_TEXT("interface", link->name), LOG_TEXT("subnet", IP_SUBNET_TEXT(subnet)),
              LOG_TEXT("network", named->name));
}

/* What was borne out stays so while the link is there: IPv6 addresses go when it is down. */
static void witness_shared(struct witness *witness, const struct network_ground *ground)
{
    const struct network_link *link = network_ground_find(ground, DEVICE_SIDE_SHARED);
    const struct wire_network *named = &ground->topology.shared;
    struct wire_network *believed = &witness->shared_believed;

    if (!link || link->index != witness->believed_index)
        memset(witness->is_borne_out, 0, sizeof(witness->is_borne_out));
    witness->believed_index = link ? link->index : 0;
    *believed = *named;
    believed->subnet_count = 0;
    for (uint32_t i = 0; i < named->subnet_count && link; i++) {
        struct ip_subnet subnet = {wire_address_to(&named->subnets[i].address), named->subnets[i].prefix_length};
        bool has_family = false;

        if (!witness->is_borne_out[i])
            witness->is_borne_out[i] = is_borne_out(link, &subnet, &has_family);
        if (witness->is_borne_out[i] || is_without(link, &subnet))
            believed->subnets[believed->subnet_count++] = named->subnets[i];
        else if (has_family)
            report_subnet(witness, named, i, link, &subnet);
    }
}

void witness_look(struct witness *witness, const struct network_ground *ground)
{
    const struct network_link *external = network_ground_find(ground, DEVICE_SIDE_EXTERNAL);

    witness_shared(witness, ground);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && external; i++)
        witness_own(&witness->own[i], ground, i, external);
}

void witness_begin(struct witness *witness)
{
    memset(witness->is_borne_out, 0, sizeof(witness->is_borne_out));
    memset(witness->has_reported_subnet, 0, sizeof(witness->has_reported_subnet));
}
