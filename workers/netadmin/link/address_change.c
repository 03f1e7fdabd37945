/* Addresses added and removed; see address_change.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/link/address_change.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

static struct nlmsghdr *begin(struct rtnetlink *rtnetlink, const char *operation, uint16_t type, uint16_t flags,
                              const struct network_link *link, const struct link_address *address)
{
    struct ifaddrmsg *header = rtnetlink_begin(rtnetlink, operation, type, flags, sizeof(*header));
    struct nlmsghdr *message = rtnetlink_message(rtnetlink);
    struct ip_subnet subnet = {address->address, address->prefix_length};
    size_t length = ip_family_length(address->address.family);

    header->ifa_family = (uint8_t)ip_family_to_kernel(address->address.family);
    header->ifa_prefixlen = address->prefix_length;
    header->ifa_index = link->index;
    mnl_attr_put(message, IFA_LOCAL, length, address->address.bytes);
    mnl_attr_put(message, IFA_ADDRESS, length, address->address.bytes);
    rtnetlink_describe(rtnetlink, "%s dev %s", IP_SUBNET_TEXT(&subnet), link->name);
    return message;
}

static void put_properties(struct nlmsghdr *message, const struct link_address *address,
                           const struct address_lifetime *lifetime)
{
    struct ip_subnet subnet = {address->address, address->prefix_length};
    struct ifa_cacheinfo lifetimes = {.ifa_prefered = lifetime->preferred, .ifa_valid = lifetime->valid};

    mnl_attr_put_u8(message, IFA_PROTO, address->protocol);
    mnl_attr_put(message, IFA_CACHEINFO, sizeof(lifetimes), &lifetimes);
    if (address->address.family == IP_FAMILY_4) {
        struct ip_address broadcast = ip_subnet_last(&subnet);

        mnl_attr_put(message, IFA_BROADCAST, ip_family_length(IP_FAMILY_4), broadcast.bytes);
    } else {
        mnl_attr_put_u32(message, IFA_FLAGS, address->flags & IFA_F_NODAD);
    }
}

int address_add(struct rtnetlink *rtnetlink, const struct network_link *link, const struct link_address *address,
                bool is_deprecated)
{
    bool has_preference = address->address.family == IP_FAMILY_6;
    struct address_lifetime lifetime = {LIFETIME_INFINITE, is_deprecated && has_preference ? 0 : LIFETIME_INFINITE};

    put_properties(begin(rtnetlink, "add address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link, address), address,
                   &lifetime);
    return rtnetlink_execute(rtnetlink);
}

int address_put(struct rtnetlink *rtnetlink, const struct network_link *link, const struct link_address *address,
                const struct address_lifetime *lifetime)
{
    put_properties(begin(rtnetlink, "add or replace address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, link, address),
                   address, lifetime);
    return rtnetlink_execute(rtnetlink);
}

int address_remove(struct rtnetlink *rtnetlink, const struct network_link *link, const struct link_address *address)
{
    int result;

    (void)begin(rtnetlink, "delete address", RTM_DELADDR, 0, link, address);
    result = rtnetlink_execute(rtnetlink);
    return result == -EADDRNOTAVAIL ? 0 : result;
}
