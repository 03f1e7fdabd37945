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

bool known_lease_names(const struct known_lease *lease, const struct ip_address *address)
{
    if (!lease->is_held)
        return false;
    for (size_t i = 0; i < lease->lease.further_count; i++) {
        if (ip_address_equal(&lease->lease.further[i].address, address))
            return true;
    }
    return ip_address_equal(&lease->lease.address, address);
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

/* One address of the lease. When the server gives the address that Docker gave, it is Docker's, for good: with IPv6,
 * where that one stays. */
static void want_leased(const struct address_inputs *inputs, struct address_plan *plan,
                        const struct wanted_address *leased)
{
    const struct ip_address *address = &leased->address.address;

    if (leased->valid_until != TIME_NEVER && leased->valid_until <= inputs->now + LEASE_END_MARGIN)
        return;
    plan->has_lease = true;
    if (inputs->family == IP_FAMILY_6 && ip_address_equal(address, &inputs->bootstrap.address))
        return;
    plan->wanted[plan->wanted_count++] = *leased;
    if (leased->valid_until != TIME_NEVER && leased->valid_until - LEASE_END_MARGIN < plan->next)
        plan->next = leased->valid_until - LEASE_END_MARGIN;
}

static struct wanted_address leased_address(const struct ip_address *address, uint8_t prefix_length, size_t number)
{
    return (struct wanted_address){
        .address = {.address = *address, .prefix_length = prefix_length, .protocol = ROUTE_PROTOCOL},
        .is_lease = true,
        .number = number,
    };
}

static void want_lease(const struct address_inputs *inputs, struct address_plan *plan)
{
    const struct known_lease *state = inputs->lease;
    struct wanted_address leased = leased_address(&state->lease.address, state->lease.prefix_length, 0);

    if (!inputs->takes_leases || !state->is_held)
        return;
    leased.valid_until = state->valid_until;
    leased.preferred_until = state->preferred_until;
    want_leased(inputs, plan, &leased);
    for (size_t i = 0; i < state->lease.further_count; i++) {
        leased = leased_address(&state->lease.further[i].address, ip_family_bits(inputs->family), i + 1);
        leased.valid_until = state->further[i].valid_until;
        leased.preferred_until = state->further[i].preferred_until;
        if (!state->further[i].is_duplicate)
            want_leased(inputs, plan, &leased);
    }
}

/* IPv6 hosts have many addresses: Docker's stays beside the leased ones, which only take over as the identity (NAT-8).
 */
static void list_wanted(const struct address_inputs *inputs, struct address_plan *plan)
{
    plan->is_adopted = inputs->takes_leases && !inputs->lease->is_known && holds_leased(inputs);
    if (inputs->family == IP_FAMILY_6)
        want_bootstrap(inputs, plan);
    want_lease(inputs, plan);
    if (inputs->family == IP_FAMILY_4 && !plan->has_lease && !plan->is_adopted)
        want_bootstrap(inputs, plan);
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
