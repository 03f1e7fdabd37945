/* The choice of the egress addresses; see egress_choice.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/egress_choice.h"

#include <linux/if_addr.h>

enum address_rank {
    RANK_PERMANENT, /* Docker's */
    RANK_AUTOCONFIGURED,
    RANK_LAST_RESORT,
    RANK_NONE,
};

static enum address_rank address_rank(const struct link_address *address)
{
    if (address->flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED))
        return RANK_LAST_RESORT;
    /* A prefix that is advertised for ever makes a permanent address too. Before Linux 5.18 nothing says who
     * added it, but the kernel marks its own SLAAC addresses as parents of temporary ones. */
    if (!(address->flags & IFA_F_PERMANENT) || address->protocol == IFAPROT_KERNEL_RA ||
        address->flags & IFA_F_MANAGETEMPADDR)
        return RANK_AUTOCONFIGURED;
    return RANK_PERMANENT;
}

static struct ip_address choose(const struct network_link *external, bool unique_local)
{
    struct ip_address best = {.family = IP_FAMILY_NONE};
    enum address_rank best_rank = RANK_NONE;

    for (uint32_t i = 0; i < external->address_count; i++) {
        const struct link_address *candidate = &external->addresses[i];
        enum address_rank rank = address_rank(candidate);

        if (candidate->address.family != IP_FAMILY_6 || !link_address_is_usable(candidate) ||
            ip_address_is_link_local(&candidate->address) ||
            ip_address_is_unique_local(&candidate->address) != unique_local)
            continue;
        if (rank < best_rank || (rank == best_rank && ip_address_compare(&candidate->address, &best) < 0)) {
            best = candidate->address;
            best_rank = rank;
        }
    }
    return best;
}

struct egress_choice egress_choose(const struct network_link *external)
{
    return (struct egress_choice){
        .global = choose(external, false),
        .unique_local = choose(external, true),
    };
}
