/* Which networks are inside; see inner_prefixes.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/inner_prefixes.h"

#include <linux/if_addr.h>
#include <stdio.h>

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

bool inner_prefix_equal(const struct inner_prefix *a, const struct inner_prefix *b)
{
    return ip_subnet_equal(&a->subnet, &b->subnet) && ip_address_equal(&a->source, &b->source) &&
           ip_address_equal(&a->gateway, &b->gateway) && a->link_index == b->link_index && a->is_up == b->is_up;
}

static bool is_listed(const struct inner_prefix *list, size_t count, const struct ip_subnet *subnet)
{
    for (size_t i = 0; i < count; i++) {
        if (ip_subnet_equal(&list[i].subnet, subnet))
            return true;
    }
    return false;
}

/* Adds a prefix that is not listed yet. */
static size_t add(struct inner_prefix *list, size_t count, const struct inner_prefix *prefix, size_t *left_out)
{
    if (is_listed(list, count, &prefix->subnet))
        return count;
    if (count == INNER_PREFIXES_MAX) {
        (*left_out)++;
        return count;
    }
    list[count] = *prefix;
    return count + 1;
}

static size_t list_behind(const struct link_table *links, uint8_t family, struct inner_prefix *list, size_t count,
                          size_t *left_out)
{
    for (size_t i = 0; i < links->behind_count; i++) {
        const struct subnet_behind *behind = &links->behind[i];
        const struct network_link *link = link_table_find_name(links, behind->link);

        if (link && behind->subnet.address.family == family)
            count =
                add(list, count,
                    &(struct inner_prefix){behind->subnet, behind->source, behind->gateway, link->index, link->is_up},
                    left_out);
    }
    return count;
}

/* A claimed gateway becomes the first of a link's IPv6 addresses, and no route names it. */
static struct ip_address source_in(const struct link_address *address)
{
    return address->address.family == IP_FAMILY_4 ? address->address : (struct ip_address){.family = IP_FAMILY_NONE};
}

size_t inner_prefixes_list(const struct link_table *links, uint32_t external_index, uint8_t family,
                           struct inner_prefix ret[INNER_PREFIXES_MAX], size_t *ret_left_out)
{
    size_t count = 0;

    *ret_left_out = 0;
    for (size_t i = 0; i < links->count; i++) {
        const struct network_link *link = &links->links[i];

        for (uint32_t j = 0; j < link->address_count && link->index != external_index; j++) {
            struct ip_subnet subnet = subnet_of(&link->addresses[j]);

            if (link->addresses[j].address.family == family && is_inner_subnet(&link->addresses[j]))
                count = add(ret, count,
                            &(struct inner_prefix){.subnet = subnet,
                                                   .source = source_in(&link->addresses[j]),
                                                   .link_index = link->index,
                                                   .is_up = link->is_up},
                            ret_left_out);
        }
    }
    return list_behind(links, family, ret, count, ret_left_out);
}

static bool covers(const struct ip_subnet *outer, const struct ip_subnet *inner)
{
    return outer->prefix_length <= inner->prefix_length && ip_subnet_contains(outer, &inner->address);
}

enum position { POSITION_AROUND, POSITION_WITHIN };

static bool lies(const struct ip_subnet *subnet, enum position position, const struct ip_subnet *inner)
{
    return position == POSITION_AROUND ? covers(inner, subnet) : covers(subnet, inner);
}

/* The host's own on its LAN (HOST-7): nobody else there has it, so nobody is hidden by it. */
static bool is_single(const struct ip_subnet *subnet)
{
    return subnet->prefix_length == ip_family_bits(subnet->address.family);
}

static const struct network_link *find(const struct link_table *links, uint32_t external_index, enum position position,
                                       const struct ip_subnet *subnet, struct ip_subnet *ret)
{
    for (size_t i = 0; i < links->count; i++) {
        const struct network_link *link = &links->links[i];

        for (uint32_t j = 0; j < link->address_count && link->index != external_index; j++) {
            struct ip_subnet inner = subnet_of(&link->addresses[j]);

            if (is_inner_subnet(&link->addresses[j]) && lies(subnet, position, &inner)) {
                *ret = inner;
                return link;
            }
        }
    }
    for (size_t i = 0; i < links->behind_count; i++) {
        const struct network_link *link = link_table_find_name(links, links->behind[i].link);
        const struct ip_subnet *inner = &links->behind[i].subnet;

        if (link && !(position == POSITION_WITHIN && is_single(inner)) && lies(subnet, position, inner)) {
            *ret = *inner;
            return link;
        }
    }
    return NULL;
}

const struct network_link *inner_prefixes_find_around(const struct link_table *links, uint32_t external_index,
                                                      const struct ip_subnet *subnet, struct ip_subnet *ret)
{
    return find(links, external_index, POSITION_AROUND, subnet, ret);
}

const struct network_link *inner_prefixes_find_within(const struct link_table *links, uint32_t external_index,
                                                      const struct ip_subnet *subnet, struct ip_subnet *ret)
{
    return find(links, external_index, POSITION_WITHIN, subnet, ret);
}

const char *inner_prefix_reason(const struct ip_subnet *inner, const struct network_link *link,
                                char ret[INNER_REASON_SIZE])
{
    (void)snprintf(ret, INNER_REASON_SIZE, "in the inner network %s on %s", IP_SUBNET_TEXT(inner), link->name);
    return ret;
}
