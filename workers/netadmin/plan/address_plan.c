/* Which addresses the external interface is to hold; see address_plan.h. Pure; runs in anchord-netadmin and its tests.
 */
#include "workers/netadmin/plan/address_plan.h"

#include "workers/netadmin/plan/route_plan.h"

#include <linux/if_addr.h>

bool address_is_leased(const struct link_address *address)
{
    if (address->protocol == ROUTE_PROTOCOL)
        return true;
    if (address->flags & IFA_F_PERMANENT)
        return false;
    return address->address.family == IP_FAMILY_4 ||
           (address->protocol == IFAPROT_UNSPEC && address->prefix_length == ip_family_bits(IP_FAMILY_6));
}

static bool is_entry_of(const struct link_address *entry, const struct link_address *address)
{
    return ip_address_equal(&entry->address, &address->address) &&
           (address->address.family == IP_FAMILY_6 || entry->prefix_length == address->prefix_length);
}

const struct link_address *address_plan_find(const struct network_link *link, const struct link_address *address)
{
    for (uint32_t i = 0; i < link->address_count; i++) {
        if (is_entry_of(&link->addresses[i], address))
            return &link->addresses[i];
    }
    return NULL;
}

static bool is_in_time(const struct known_lease *lease, uint64_t now)
{
    return lease->valid_until == TIME_NEVER || lease->valid_until > now + LEASE_END_MARGIN;
}

static bool holds_leased(const struct address_inputs *inputs)
{
    for (uint32_t i = 0; i < inputs->link->address_count; i++) {
        const struct link_address *address = &inputs->link->addresses[i];

        if (address->address.family == inputs->family && address_is_leased(address) && link_address_is_usable(address))
            return true;
    }
    return false;
}

static void want_bootstrap(const struct address_inputs *inputs, struct address_plan *plan)
{
    if (inputs->bootstrap.address.family != inputs->family)
        return;
    plan->wanted[plan->wanted_count++] = (struct wanted_address){
        .address = inputs->bootstrap,
        .valid_until = TIME_NEVER,
        .preferred_until = TIME_NEVER,
    };
}

static void want_lease(const struct address_inputs *inputs, struct address_plan *plan)
{
    const struct known_lease *state = inputs->lease;

    plan->wanted[plan->wanted_count++] = (struct wanted_address){
        .address =
            {
                .address = state->lease.address,
                .prefix_length = state->lease.prefix_length,
                .protocol = ROUTE_PROTOCOL,
            },
        .valid_until = state->valid_until,
        .preferred_until = state->preferred_until,
        .is_lease = true,
    };
    if (state->valid_until != TIME_NEVER)
        plan->next = state->valid_until - LEASE_END_MARGIN;
}

/* IPv6 hosts have many addresses: Docker's stays beside the leased one, which only takes over as the identity (NAT-8).
 * When the server gives the same address it is Docker's, for good. */
static void list_wanted(const struct address_inputs *inputs, struct address_plan *plan)
{
    bool has_lease = inputs->takes_leases && inputs->lease->is_held && is_in_time(inputs->lease, inputs->now);
    bool is_bootstrap = ip_address_equal(&inputs->lease->lease.address, &inputs->bootstrap.address);

    plan->is_adopted = inputs->takes_leases && !inputs->lease->is_known && holds_leased(inputs);
    if (inputs->family == IP_FAMILY_6 || (!has_lease && !plan->is_adopted))
        want_bootstrap(inputs, plan);
    if (has_lease && (inputs->family == IP_FAMILY_4 || !is_bootstrap))
        want_lease(inputs, plan);
}

static void compare(const struct address_inputs *inputs, struct address_plan *plan)
{
    plan->is_complete = true;
    for (size_t i = 0; i < plan->wanted_count; i++) {
        const struct link_address *entry = address_plan_find(inputs->link, &plan->wanted[i].address);

        plan->wanted[i].serves = entry && link_address_is_usable(entry);
        plan->is_complete = plan->is_complete && plan->wanted[i].serves;
    }
}

static bool is_wanted(const struct address_plan *plan, const struct link_address *entry)
{
    for (size_t i = 0; i < plan->wanted_count; i++) {
        if (is_entry_of(entry, &plan->wanted[i].address))
            return true;
    }
    return false;
}

/* Other people's addresses are never in question. */
static bool is_in_question(const struct address_inputs *inputs, const struct link_address *entry)
{
    if (entry->address.family != inputs->family)
        return false;
    if (inputs->family == IP_FAMILY_6)
        return address_is_leased(entry);
    return address_is_leased(entry) || is_entry_of(entry, &inputs->bootstrap);
}

struct address_plan address_plan_make(const struct address_inputs *inputs)
{
    struct address_plan plan = {.next = TIME_NEVER};
    bool may_remove;

    list_wanted(inputs, &plan);
    compare(inputs, &plan);
    plan.is_hurried = inputs->lease->is_known && !inputs->lease->is_held;
    may_remove = inputs->takes_leases && !plan.is_adopted && (plan.wanted_count > 0 || plan.is_hurried);
    for (uint32_t i = 0; i < inputs->link->address_count; i++) {
        const struct link_address *entry = &inputs->link->addresses[i];

        if (may_remove && is_in_question(inputs, entry) && !is_wanted(&plan, entry))
            plan.surplus[plan.surplus_count++] = *entry;
    }
    return plan;
}
