/* The choice of the egress addresses; see egress_choice.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/egress_choice.h"

#include "workers/netadmin/plan/address_plan.h"

#include <linux/if_addr.h>

/* The best first. */
enum address_rank {
    RANK_BOOTSTRAP, /* Docker's in bootstrap mode */
    RANK_LEASED,
    RANK_AUTOCONFIGURED,
    RANK_PERMANENT, /* Docker's in the other modes */
    RANK_LAST_RESORT,
    RANK_NONE,
};

static bool is_autoconfigured(const struct link_address *address)
{
    /* A prefix that is advertised for ever makes a permanent address too. Before Linux 5.18 nothing says who
     * added it, but the kernel marks its own SLAAC addresses as parents of temporary ones. */
    return !(address->flags & IFA_F_PERMANENT) || address->protocol == IFAPROT_KERNEL_RA ||
           address->flags & IFA_F_MANAGETEMPADDR;
}

/* Its place among those that were leased; their number when it is none of them. */
static size_t lease_position(const struct link_address *address, const struct egress_preference *preference)
{
    size_t position = 0;

    while (position < preference->leased_count && !ip_address_equal(&address->address, &preference->leased[position]))
        position++;
    return position;
}

static enum address_rank address_rank(const struct link_address *address, const struct egress_preference *preference)
{
    if (address->flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED))
        return RANK_LAST_RESORT;
    if (address_is_leased(address) || lease_position(address, preference) < preference->leased_count)
        return RANK_LEASED;
    if (is_autoconfigured(address))
        return RANK_AUTOCONFIGURED;
    return preference->is_bootstrap ? RANK_BOOTSTRAP : RANK_PERMANENT;
}

static bool is_advertised(const struct link_address *address, const struct egress_preference *preference)
{
    for (size_t i = 0; i < preference->advertised_count; i++) {
        if (ip_subnet_contains(&preference->advertised[i], &address->address))
            return true;
    }
    return false;
}

/* Of two with the same rank. */
static bool is_better(const struct link_address *a, const struct link_address *b,
                      const struct egress_preference *preference)
{
    bool a_is_advertised = is_advertised(a, preference);
    size_t a_position = lease_position(a, preference);
    size_t b_position = lease_position(b, preference);

    if (a_is_advertised != is_advertised(b, preference))
        return a_is_advertised;
    if (a_position != b_position)
        return a_position < b_position;
    if (a->created != b->created)
        return (int32_t)(a->created - b->created) > 0;
    return ip_address_compare(&a->address, &b->address) < 0;
}

static struct ip_address choose(const struct network_link *external, const struct egress_preference *preference,
                                bool unique_local)
{
    const struct link_address *best = NULL;
    enum address_rank best_rank = RANK_NONE;

    for (uint32_t i = 0; i < external->address_count; i++) {
        const struct link_address *candidate = &external->addresses[i];
        enum address_rank rank = address_rank(candidate, preference);

        if (candidate->address.family != IP_FAMILY_6 || !link_address_is_usable(candidate) ||
            ip_address_is_link_local(&candidate->address) ||
            ip_address_is_unique_local(&candidate->address) != unique_local)
            continue;
        if (rank < best_rank || (best && rank == best_rank && is_better(candidate, best, preference))) {
            best = candidate;
            best_rank = rank;
        }
    }
    return best ? best->address : (struct ip_address){.family = IP_FAMILY_NONE};
}

struct egress_choice egress_choose(const struct network_link *external, const struct egress_preference *preference)
{
    return (struct egress_choice){
        .global = choose(external, preference, false),
        .unique_local = choose(external, preference, true),
    };
}
