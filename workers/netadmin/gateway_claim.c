/* Claimed gateway addresses; see gateway_claim.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/gateway_claim.h"

#include "workers/netadmin/route_table.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

/* ifa_prefered and ifa_valid without end (INFINITY_LIFE_TIME, include/net/addrconf.h). */
#define LIFETIME_INFINITE UINT32_MAX

const char *gateway_claim_check(const struct wire_subnet *wire)
{
    struct ip_subnet subnet = {wire_address_to(&wire->address), wire->prefix_length};
    struct ip_address address = wire_address_to(&wire->auxiliary_gateway);
    struct ip_address gateway = wire_address_to(&wire->gateway);
    struct ip_address first = ip_subnet_first(&subnet);
    struct ip_address last = ip_subnet_last(&subnet);

    if (address.family == IP_FAMILY_NONE)
        return NULL;
    if (!ip_subnet_contains(&subnet, &address))
        return "outside of its subnet";
    if (!ip_address_is_host(&address) || ip_address_equal(&address, &first) ||
        (address.family == IP_FAMILY_4 && ip_address_equal(&address, &last)))
        return "no host's address";
    return ip_address_equal(&address, &gateway) ? "the bridge's own address" : NULL;
}

size_t gateway_claim_list(const struct wire_network *shared, struct gateway_claim ret[SUBNETS_MAX])
{
    size_t count = 0;

    for (uint32_t i = 0; i < shared->subnet_count; i++) {
        const struct wire_subnet *subnet = &shared->subnets[i];

        if (subnet->auxiliary_gateway.family == IP_FAMILY_NONE || gateway_claim_check(subnet))
            continue;
        ret[count++] = (struct gateway_claim){
            .address = wire_address_to(&subnet->auxiliary_gateway),
            .prefix_length = subnet->prefix_length,
        };
    }
    return count;
}

static bool holds(const struct network_link *link, const struct gateway_claim *claim)
{
    for (uint32_t i = 0; i < link->address_count; i++) {
        if (ip_address_equal(&link->addresses[i].address, &claim->address))
            return true;
    }
    return false;
}

static bool holds_another_of_subnet(const struct network_link *link, const struct gateway_claim *claim)
{
    struct ip_subnet subnet = {claim->address, claim->prefix_length};

    for (uint32_t i = 0; i < link->address_count; i++) {
        if (ip_subnet_contains(&subnet, &link->addresses[i].address) &&
            !ip_address_equal(&link->addresses[i].address, &claim->address))
            return true;
    }
    return false;
}

static int change_address(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const char *operation,
                          uint16_t type, const struct network_link *link, const struct gateway_claim *claim)
{
    uint16_t flags = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0;
    struct ifaddrmsg *header = rtnetlink_request_begin(request, operation, type, flags, sizeof(*header));
    struct nlmsghdr *message = rtnetlink_request_message(request);
    struct ip_subnet subnet = {claim->address, claim->prefix_length};
    size_t length = ip_family_length(claim->address.family);
    char text[IP_SUBNET_TEXT_SIZE];

    header->ifa_family = (uint8_t)ip_family_to_kernel(claim->address.family);
    header->ifa_prefixlen = claim->prefix_length;
    header->ifa_index = link->index;
    mnl_attr_put(message, IFA_LOCAL, length, claim->address.bytes);
    mnl_attr_put(message, IFA_ADDRESS, length, claim->address.bytes);
    if (type == RTM_NEWADDR)
        mnl_attr_put_u8(message, IFA_PROTO, ROUTE_PROTOCOL);
    if (type == RTM_NEWADDR && claim->address.family == IP_FAMILY_4) {
        struct ip_address broadcast = ip_subnet_last(&subnet);

        mnl_attr_put(message, IFA_BROADCAST, length, broadcast.bytes);
    }
    if (type == RTM_NEWADDR && claim->address.family == IP_FAMILY_6) {
        struct ifa_cacheinfo lifetimes = {.ifa_prefered = 0, .ifa_valid = LIFETIME_INFINITE};

        mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NODAD);
        mnl_attr_put(message, IFA_CACHEINFO, sizeof(lifetimes), &lifetimes);
    }
    (void)snprintf(request->object, sizeof(request->object), "%s dev %s", ip_subnet_format(&subnet, text), link->name);
    return rtnetlink_execute(rtnetlink, request);
}

int gateway_claim_apply(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, const struct network_link *link,
                        const struct wire_network *shared)
{
    struct gateway_claim claims[SUBNETS_MAX];
    size_t count = gateway_claim_list(shared, claims);
    int added = 0;

    for (size_t i = 0; i < count; i++) {
        int result;

        if (holds(link, &claims[i]) || !holds_another_of_subnet(link, &claims[i]))
            continue;
        result = change_address(rtnetlink, request, "add address", RTM_NEWADDR, link, &claims[i]);
        if (result < 0 && result != -EEXIST)
            return result;
        added += result == 0 ? 1 : 0;
    }
    return added;
}

int gateway_claim_remove(struct rtnetlink *rtnetlink, struct rtnetlink_request *request,
                         const struct network_link *link, const struct wire_network *shared)
{
    struct gateway_claim claims[SUBNETS_MAX];
    size_t count = gateway_claim_list(shared, claims);

    for (size_t i = 0; i < count; i++) {
        int result = change_address(rtnetlink, request, "delete address", RTM_DELADDR, link, &claims[i]);

        if (result < 0 && result != -EADDRNOTAVAIL)
            return result;
    }
    return 0;
}
