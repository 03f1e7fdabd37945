/* The external interface's own addresses; see external_addresses.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/address/external_addresses.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "workers/netadmin/link/address_change.h"
#include "workers/netadmin/plan/map_state.h"
#include "workers/netadmin/route/route_table.h"

#include <linux/if_addr.h>
#include <string.h>

/* From the announcement of the new address to the removal of the old one: SPEC ADDR-2 allows 5 s. */
#define HANDOVER_DELAY (500 * MICROSECONDS_PER_MILLISECOND)

static enum network_step step_of(size_t family_index)
{
    return family_index == FAMILY_INDEX_4 ? NETWORK_STEP_OWN4 : NETWORK_STEP_OWN6;
}

/* Rounded up: the kernel must not be early, because we put the bootstrap address back just before the end. */
static uint32_t seconds_left(uint64_t until, uint64_t now)
{
    uint64_t seconds = until > now ? (until - now + MICROSECONDS_PER_SECOND - 1) / MICROSECONDS_PER_SECOND : 0;

    if (until == TIME_NEVER)
        return LIFETIME_INFINITE;
    return seconds < LIFETIME_INFINITE ? (uint32_t)seconds : LIFETIME_INFINITE - 1;
}

/* Without both links there is no ruleset that could miss an element; under attach with the external one. */
static bool may_add(const struct external_addresses *addresses, const struct ip_address *address)
{
    return (!network_ground_find(addresses->ground, DEVICE_SIDE_SHARED) && !addresses->ground->is_attached) ||
           ip_address_is_among(address, addresses->installed, addresses->installed_count);
}

bool external_addresses_await_element(const struct external_addresses *addresses)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        for (size_t j = 0; j < addresses->families[i].plan.wanted_count; j++) {
            if (!may_add(addresses, &addresses->families[i].plan.wanted[j].address.address))
                return true;
        }
    }
    return false;
}

static bool is_written(const struct family_addresses *family, const struct network_link *link,
                       const struct wanted_address *wanted)
{
    const struct wanted_address *written = &family->written[wanted->number];

    return family->written_index == link->index && written->valid_until == wanted->valid_until &&
           written->preferred_until == wanted->preferred_until &&
           written->address.prefix_length == wanted->address.prefix_length &&
           ip_address_equal(&written->address.address, &wanted->address.address);
}

/* Whether the kernel has it already as it shall be. */
static bool is_right(const struct family_addresses *family, const struct network_link *link,
                     const struct wanted_address *wanted)
{
    const struct link_address *entry = address_plan_find(link, &wanted->address);

    if (!entry || !!(entry->flags & IFA_F_PERMANENT) != (wanted->valid_until == TIME_NEVER))
        return false;
    return !wanted->is_lease || is_written(family, link, wanted);
}

/* What was given under attach is a lease without end; of others the DHCP client has asked; and what is there was. */
static bool is_refused(const struct external_addresses *addresses, const struct network_link *link,
                       const struct wanted_address *wanted)
{
    return addresses->ground->is_attached && wanted->is_lease && wanted->valid_until == TIME_NEVER &&
           !address_plan_find(link, &wanted->address) &&
           !addresses->may_take(link, &wanted->address.address, addresses->asked);
}

static bool was_serving(const struct address_plan *before, const struct wanted_address *wanted)
{
    for (size_t i = 0; i < before->wanted_count; i++) {
        if (before->wanted[i].serves && ip_address_equal(&before->wanted[i].address.address, &wanted->address.address))
            return true;
    }
    return false;
}

static void report_put(const struct address_plan *before, const struct network_link *link,
                       const struct wanted_address *wanted)
{
    struct ip_subnet subnet = {wanted->address.address, wanted->address.prefix_length};
    const char *origin = wanted->is_lease ? "lease" : "Docker";
    char text[IP_SUBNET_TEXT_SIZE];

    (void)ip_subnet_format(&subnet, text);
    if (address_plan_find(link, &wanted->address))
        log_debug("lifetimes of an external address written", LOG_TEXT("interface", link->name),
                  LOG_TEXT("address", text), LOG_TEXT("origin", origin));
    else if (was_serving(before, wanted))
        log_warn("external address was removed by somebody else, put back", LOG_PROBLEM(PROBLEM_RULES_CHANGED),
                 LOG_TEXT("interface", link->name), LOG_TEXT("address", text), LOG_TEXT("origin", origin));
    else
        log_info("external address added", LOG_TEXT("interface", link->name), LOG_TEXT("address", text),
                 LOG_TEXT("origin", origin));
}

static int put_wanted(struct external_addresses *addresses, size_t family_index, const struct network_link *link,
                      const struct address_plan *before, const struct wanted_address *wanted)
{
    struct family_addresses *family = &addresses->families[family_index];
    uint64_t now = clock_boottime_microseconds();
    struct address_lifetime lifetime = {seconds_left(wanted->valid_until, now),
                                        seconds_left(wanted->preferred_until, now)};
    int result;

    if (is_right(family, link, wanted) || !may_add(addresses, &wanted->address.address) ||
        (wanted->is_lease && family->is_duplicate) || is_refused(addresses, link, wanted))
        return 0;
    result = address_put(addresses->ground->rtnetlink, link, &wanted->address, &lifetime);
    if (network_ground_report(addresses->ground, step_of(family_index), result) < 0)
        return result;
    report_put(before, link, wanted);
    if (wanted->is_lease) {
        if (family->written_index != link->index)
            memset(family->written, 0, sizeof(family->written));
        family->written[wanted->number] = *wanted;
        family->written_index = link->index;
    }
    return 0;
}

/* The gateway of what serves: the old one stays until the new address can be used. Returns whether other routes are
 * wanted now. */
static bool choose_in_force(struct family_addresses *family, uint64_t now)
{
    const struct address_plan *plan = &family->plan;
    bool has_lease = plan->has_lease;
    bool differs;

    if (!plan->is_complete) {
        family->complete_since = 0;
        return false;
    }
    if (family->complete_since == 0)
        family->complete_since = now;
    if (plan->is_adopted)
        return false;
    differs = has_lease != family->has_in_force ||
              (has_lease && !lease_routes_equal(&family->in_force, &family->lease.lease));
    family->has_in_force = has_lease;
    if (has_lease)
        family->in_force = family->lease.lease;
    return differs;
}

static struct address_plan make_plan(const struct external_addresses *addresses, size_t family_index,
                                     const struct network_link *link)
{
    uint8_t family = family_index_to_family(family_index);
    struct address_inputs inputs = {
        .family = family,
        .link = link,
        .bootstrap = witness_bootstrap(addresses->witness, addresses->ground, family),
        .takes_leases = addresses->ground->address_mode == ADDRESS_MODE_DHCP_REFRESH,
        .lease = &addresses->families[family_index].lease,
        .now = clock_boottime_microseconds(),
    };

    return address_plan_make(&inputs);
}

int external_addresses_add(struct external_addresses *addresses, size_t family_index, bool *ret_has_other_routes)
{
    const struct network_link *link = network_ground_find(addresses->ground, DEVICE_SIDE_EXTERNAL);
    struct family_addresses *family = &addresses->families[family_index];
    struct address_plan before = family->plan;
    struct address_plan *plan = &family->plan;
    int first = 0;

    *ret_has_other_routes = false;
    if (!link) {
        *plan = (struct address_plan){.next = TIME_NEVER};
        return 0;
    }
    *plan = make_plan(addresses, family_index, link);
    *ret_has_other_routes = choose_in_force(family, clock_boottime_microseconds());
    for (size_t i = 0; i < plan->wanted_count && link->is_up; i++) {
        int result = put_wanted(addresses, family_index, link, &before, &plan->wanted[i]);

        keep_first(&first, result);
    }
    family->failure = first;
    return first;
}

void external_addresses_forget_serving(struct external_addresses *addresses)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        for (size_t j = 0; j < addresses->families[i].plan.wanted_count; j++)
            addresses->families[i].plan.wanted[j].serves = false;
    }
}

bool external_addresses_note_duplicate(struct external_addresses *addresses, const struct link_address *address)
{
    struct family_addresses *family = &addresses->families[family_index_from_family(address->address.family)];
    struct known_lease *lease = &family->lease;

    if (address_is_leased(address) && !known_lease_names(lease, &address->address))
        return false; /* of a lease that was given up: the server has heard of it */
    if (lease->is_held && ip_address_equal(&lease->lease.address, &address->address)) {
        family->is_duplicate = true;
        return false;
    }
    for (size_t i = 0; lease->is_held && i < lease->lease.further_count; i++) {
        if (ip_address_equal(&lease->lease.further[i].address, &address->address))
            lease->further[i].is_duplicate = true;
    }
    return true;
}

int external_addresses_adopt(struct external_addresses *addresses, size_t family_index, uint32_t table)
{
    struct family_addresses *family = &addresses->families[family_index];
    const struct network_link *link = network_ground_find(addresses->ground, DEVICE_SIDE_EXTERNAL);
    uint8_t ip_family = family_index_to_family(family_index);
    struct lease lease = {0};
    int result;

    if (family->has_in_force || !family->plan.is_adopted)
        return 0;
    result = route_table_read_lease(addresses->ground->rtnetlink, ip_family, table, &lease);
    if (network_ground_report(addresses->ground, NETWORK_STEP_ADOPTION, result) < 0)
        return result;
    for (uint32_t i = 0; i < link->address_count; i++) {
        if (link->addresses[i].address.family == ip_family && address_is_leased(&link->addresses[i])) {
            lease.address = link->addresses[i].address;
            lease.prefix_length = link->addresses[i].prefix_length;
        }
    }
    family->in_force = lease;
    family->has_in_force = true;
    return 0;
}

const struct lease *external_addresses_in_force(const struct external_addresses *addresses, uint8_t family)
{
    const struct family_addresses *own = &addresses->families[family_index_from_family(family)];

    return own->has_in_force ? &own->in_force : NULL;
}

/* --- what goes ------------------------------------------------------------------------------------------- */

/* Without promote_secondaries the kernel would take the others of the subnet with it. */
static bool may_remove(const struct external_addresses *addresses, size_t family_index, const struct network_link *link,
                       uint64_t now)
{
    const struct address_plan *plan = &addresses->families[family_index].plan;
    uint64_t since = addresses->families[family_index].complete_since;

    return plan->is_complete && plan->surplus_count > 0 && link->settings.promote_secondaries == 1 &&
           (plan->is_hurried || now >= since + HANDOVER_DELAY);
}

static int remove_surplus(struct external_addresses *addresses, size_t family_index, const struct network_link *link)
{
    struct address_plan *plan = &addresses->families[family_index].plan;

    while (plan->surplus_count > 0) {
        const struct link_address *address = &plan->surplus[plan->surplus_count - 1];
        struct ip_subnet subnet = {address->address, address->prefix_length};
        int result = address_remove(addresses->ground->rtnetlink, link, address);

        if (network_ground_report(addresses->ground, step_of(family_index), result) < 0)
            return result;
        log_info("external address given up", LOG_TEXT("interface", link->name),
                 LOG_TEXT("address", IP_SUBNET_TEXT(&subnet)),
                 LOG_TEXT("origin", address_is_leased(address) ? "lease" : "Docker"));
        if (addresses->ground->is_attached && plan->wanted_count == 0)
            log_warn("no address is left: nothing comes in or leaves before there is another lease",
                     LOG_PROBLEM(PROBLEM_NO_LEASE), LOG_TEXT("family", ip_family_to_string(address->address.family)));
        plan->surplus_count--;
    }
    return 0;
}

void external_addresses_answer(struct external_addresses *addresses, size_t family_index, int error, const char *reason)
{
    struct family_addresses *family = &addresses->families[family_index];
    struct message_lease_applied message = {
        .header = message_header_make(MESSAGE_LEASE_APPLIED, sizeof(message), family->generation),
        .family = family_index_to_family(family_index),
        .error = error,
    };

    text_copy_cut(message.reason, sizeof(message.reason), reason);
    family->owes_answer = false;
    addresses->on_lease_applied(&message, addresses->userdata);
}

static void settle_lease(struct external_addresses *addresses, size_t family_index)
{
    struct family_addresses *family = &addresses->families[family_index];
    struct address_plan *plan = &addresses->families[family_index].plan;

    if (family->is_duplicate) {
        family->is_duplicate = false;
        family->lease = (struct known_lease){.is_known = true};
        external_addresses_answer(addresses, family_index, -EADDRINUSE, "somebody else has the address");
        plan->next = 0; /* another one, at once after this turn */
        return;
    }
    if (!family->owes_answer)
        return;
    if (family->failure < 0)
        external_addresses_answer(addresses, family_index, family->failure,
                                  addresses->ground->failures[step_of(family_index)]);
    else if (family->lease.is_held && !plan->has_lease)
        external_addresses_answer(addresses, family_index, -ETIME, "the lease is over");
    else if (plan->is_complete)
        external_addresses_answer(addresses, family_index, 0, "");
}

/* What could not be removed although its time has come waits for a notification. */
static uint64_t next_turn(const struct external_addresses *addresses, size_t family_index, uint64_t now)
{
    const struct address_plan *plan = &addresses->families[family_index].plan;
    uint64_t removal = addresses->families[family_index].complete_since + HANDOVER_DELAY;
    bool awaits_removal = plan->is_complete && plan->surplus_count > 0 && removal > now;

    return awaits_removal && removal < plan->next ? removal : plan->next;
}

static void set_timer(struct external_addresses *addresses, uint64_t now)
{
    uint64_t first = next_turn(addresses, FAMILY_INDEX_4, now);
    uint64_t second = next_turn(addresses, FAMILY_INDEX_6, now);

    event_loop_set_timer(addresses->timer, first < second ? first : second);
}

int external_addresses_remove(struct external_addresses *addresses)
{
    const struct network_link *link = network_ground_find(addresses->ground, DEVICE_SIDE_EXTERNAL);
    uint64_t now = clock_boottime_microseconds();
    int first = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && link; i++) {
        int result = 0;

        if (may_remove(addresses, i, link, now))
            result = remove_surplus(addresses, i, link);
        settle_lease(addresses, i);
        keep_first(&first, result);
    }
    set_timer(addresses, now);
    return first;
}

static int put_bootstrap_back(struct external_addresses *addresses, size_t family_index,
                              const struct network_link *link)
{
    const struct address_plan *plan = &addresses->families[family_index].plan;
    const struct address_lifetime forever = {LIFETIME_INFINITE, LIFETIME_INFINITE};
    int result = 0;

    for (size_t i = 0; i < plan->wanted_count && result == 0; i++) {
        result = address_put(addresses->ground->rtnetlink, link, &plan->wanted[i].address, &forever);
        (void)network_ground_report(addresses->ground, step_of(family_index), result);
    }
    return result;
}

int external_addresses_remove_leases(struct external_addresses *addresses)
{
    const struct network_link *link = network_ground_find(addresses->ground, DEVICE_SIDE_EXTERNAL);
    int first = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && link && addresses->ground->address_mode == ADDRESS_MODE_DHCP_REFRESH;
         i++) {
        int result = 0;

        addresses->families[i].lease = (struct known_lease){.is_known = true};
        addresses->families[i].plan = make_plan(addresses, i, link);
        if (addresses->families[i].plan.surplus_count > 0)
            result = put_bootstrap_back(addresses, i, link);
        if (result == 0)
            result = remove_surplus(addresses, i, link);
        keep_first(&first, result);
    }
    return first;
}
