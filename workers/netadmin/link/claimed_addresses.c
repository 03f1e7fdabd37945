/* Claimed addresses added and removed; see claimed_addresses.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/link/claimed_addresses.h"

#include "workers/netadmin/link/address_change.h"
#include "workers/netadmin/plan/gateway_claim.h"
#include "workers/netadmin/plan/route_plan.h"

#include <linux/if_addr.h>

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

static struct link_address claimed_address(const struct gateway_claim *claim)
{
    return (struct link_address){
        .address = claim->address,
        .prefix_length = claim->prefix_length,
        .protocol = ROUTE_PROTOCOL,
        .flags = IFA_F_NODAD,
    };
}

int claimed_addresses_apply(struct rtnetlink *rtnetlink, const struct network_link *link,
                            const struct wire_network *shared, claim_permission may_claim, void *userdata)
{
    struct gateway_claim claims[SUBNETS_MAX];
    size_t count = gateway_claim_list(shared, claims);
    int added = 0;

    for (size_t i = 0; i < count; i++) {
        struct link_address address = claimed_address(&claims[i]);
        int result;

        if (network_link_find(link, &claims[i].address) || !holds_another_of_subnet(link, &claims[i]) ||
            !may_claim(link, &claims[i].address, userdata))
            continue;
        result = address_add(rtnetlink, link, &address, true);
        if (result < 0 && result != -EEXIST)
            return result;
        added += result == 0 ? 1 : 0;
    }
    return added;
}

int claimed_addresses_remove(struct rtnetlink *rtnetlink, const struct network_link *link,
                             const struct wire_network *shared)
{
    struct gateway_claim claims[SUBNETS_MAX];
    size_t count = gateway_claim_list(shared, claims);
    struct rtnetlink_request failed = {0};
    int first = 0;

    for (size_t i = 0; i < count; i++) {
        struct link_address address = claimed_address(&claims[i]);
        int result = address_remove(rtnetlink, link, &address);

        if (result < 0 && first == 0) {
            first = result;
            failed = *rtnetlink_request(rtnetlink);
        }
    }
    if (first < 0)
        *rtnetlink_request(rtnetlink) = failed;
    return first;
}
