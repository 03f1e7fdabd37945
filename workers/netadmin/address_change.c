/* Addresses added and removed; see address_change.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/address_change.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

/* ifa_prefered and ifa_valid without end (INFINITY_LIFE_TIME, include/net/addrconf.h). */
#define LIFETIME_INFINITE UINT32_MAX

static struct nlmsghdr *begin(struct rtnetlink_request *request, const char *operation, uint16_t type, uint16_t flags,
                              const struct network_link *link, const struct link_address *address)
{
    struct ifaddrmsg *header = rtnetlink_request_begin(request, operation, type, flags, sizeof(*header));
    struct nlmsghdr *message = rtnetlink_request_message(request);
    struct ip_subnet subnet = {address->address, address->prefix_length};
    size_t length = ip_family_length(address->address.family);
    char text[IP_SUBNET_TEXT_SIZE];

    header->ifa_family = (uint8_t)ip_family_to_kernel(address->address.family);
    header->ifa_prefixlen = address->prefix_length;
    header->ifa_index = link->index;
    mnl_attr_put(message, IFA_LOCAL, length, address->address.bytes);
    mnl_attr_put(message, IFA_ADDRESS, length, address->address.bytes);
    (void)snprintf(request->object, sizeof(request->object), "%s dev %s", ip_subnet_format(&subnet, text), link->name);
    return message;
}

int address_add(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const struct network_link *link,
                const struct link_address *address, bool is_deprecated)
{
    struct nlmsghdr *message = begin(request, "add address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link, address);
    struct ip_subnet subnet = {address->address, address->prefix_length};

    mnl_attr_put_u8(message, IFA_PROTO, address->protocol);
    if (address->address.family == IP_FAMILY_4) {
        struct ip_address broadcast = ip_subnet_last(&subnet);

        mnl_attr_put(message, IFA_BROADCAST, ip_family_length(IP_FAMILY_4), broadcast.bytes);
    } else {
        struct ifa_cacheinfo lifetimes = {
            .ifa_prefered = is_deprecated ? 0 : LIFETIME_INFINITE,
            .ifa_valid = LIFETIME_INFINITE,
        };

        mnl_attr_put_u32(message, IFA_FLAGS, address->flags & IFA_F_NODAD);
        mnl_attr_put(message, IFA_CACHEINFO, sizeof(lifetimes), &lifetimes);
    }
    return rtnetlink_execute(rtnetlink, request);
}

int address_remove(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const struct network_link *link,
                   const struct link_address *address)
{
    int result;

    (void)begin(request, "delete address", RTM_DELADDR, 0, link, address);
    result = rtnetlink_execute(rtnetlink, request);
    return result == -EADDRNOTAVAIL ? 0 : result;
}
