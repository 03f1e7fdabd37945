/* The link-local address without its detection; see link_local.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/link/link_local.h"

#include "workers/netadmin/link/address_change.h"

int link_local_settle(struct rtnetlink *rtnetlink, const struct network_link *link)
{
    int settled = 0;

    for (uint32_t i = 0; i < link->address_count; i++) {
        struct link_address address = link->addresses[i];
        int result;

        if (address.address.family != IP_FAMILY_6 || !ip_address_is_link_local(&address.address) ||
            !(address.flags & IFA_F_TENTATIVE))
            continue;
        address.flags = (address.flags & ~(uint32_t)(IFA_F_TENTATIVE | IFA_F_DADFAILED)) | IFA_F_NODAD;
        result = address_remove(rtnetlink, link, &address);
        if (result == 0)
            result = address_add(rtnetlink, link, &address, false);
        if (result < 0 && result != -EEXIST)
            return result;
        settled++;
    }
    return settled;
}
