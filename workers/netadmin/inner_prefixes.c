/* Which networks are inside; see inner_prefixes.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/inner_prefixes.h"

#include <linux/if_addr.h>

/* A single address stands in the kernel's table `local` already, which is asked first. */
static bool is_inner_subnet(const struct link_address *address)
{
    return address->prefix_length > 0 && address->prefix_length < ip_family_bits(address->address.family) &&
           (address->flags & IFA_F_PERMANENT) && !(address->flags & IFA_F_MANAGETEMPADDR) &&
           address->protocol != IFAPROT_KERNEL_RA && !ip_address_is_link_local(&address->address);
}

static struct ip_subnet subnet_of(const struct link_address *address)
{
    struct ip_subnet subnet = {address->address, address->prefix_length};

    subnet.address = ip_subnet_first(&subnet);
    return subnet;
}

static bool ip_subnet_equal(const struct ip_subnet *a, const struct ip_subnet *b)
{
    return a->prefix_length == b->prefix_length && ip_address_equal(&a->address, &b->address);
}

static bool is_listed(const struct inner_prefix *list, size_t count, const struct ip_subnet *subnet)
{
    for (size_t i = 0; i < count; i++) {
        if (ip_subnet_equal(&list[i].subnet, subnet))
            return true;
    }
    return false;
}

size_t inner_prefixes_list(const struct link_table *links, uint32_t external_index, uint8_t family,
                           struct inner_prefix ret[INNER_PREFIXES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < links->count; i++) {
        const struct network_link *link = &links->links[i];

        for (uint32_t j = 0; j < link->address_count && link->index != external_index; j++) {
            struct ip_subnet subnet = subnet_of(&link->addresses[j]);

            if (count == INNER_PREFIXES_MAX || link->addresses[j].address.family != family ||
                !is_inner_subnet(&link->addresses[j]) || is_listed(ret, count, &subnet))
                continue;
            ret[count++] = (struct inner_prefix){
                .subnet = subnet,
                .source = link->addresses[j].address,
                .link_index = link->index,
                .is_up = link->is_up,
            };
        }
    }
    return count;
}
