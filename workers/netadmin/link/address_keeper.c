/* IPv6 addresses over a link that goes down; see address_keeper.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/link/address_keeper.h"

#include "workers/netadmin/link/address_change.h"
#include "workers/netadmin/plan/route_plan.h"

#include <linux/if_addr.h>

static bool is_dockers(const struct link_address *address)
{
    return address->address.family == IP_FAMILY_6 && !ip_address_is_link_local(&address->address) &&
           (address->flags & IFA_F_PERMANENT) && !(address->flags & IFA_F_MANAGETEMPADDR) &&
           address->protocol != IFAPROT_KERNEL_RA && address->protocol != ROUTE_PROTOCOL;
}

void address_keeper_note(struct kept_addresses *kept, const struct network_link *before)
{
    *kept = (struct kept_addresses){.link_index = before->index};
    for (uint32_t i = 0; i < before->address_count; i++) {
        if (is_dockers(&before->addresses[i]))
            kept->addresses[kept->count++] = before->addresses[i];
    }
}

int address_keeper_restore(struct rtnetlink *rtnetlink, struct kept_addresses *kept, const struct network_link *link)
{
    int added = 0;

    if (kept->count == 0 || kept->link_index != link->index || !link->is_up)
        return 0;
    for (uint32_t i = 0; i < kept->count; i++) {
        int result = address_add(rtnetlink, link, &kept->addresses[i], false);

        if (result < 0 && result != -EEXIST)
            return result;
        added += result == 0 ? 1 : 0;
    }
    kept->count = 0;
    return added;
}
