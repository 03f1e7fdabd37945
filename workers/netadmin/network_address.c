/*
 * The external interface's own addresses (ADDR-1, ADDR-2, NAT-9); see network_internal.h. Runs in anchord-netadmin with
 * CAP_NET_ADMIN.
 *
 * From one address to the next (NAT-9), each step as soon as the one before it is seen in the kernel:
 *
 *     LEASE             lease_policy.c takes it, address_plan.c wants the new address beside the old one
 *     1 element         set `external`     on_changed() -> ruleset.c; network_view_applied() leads to 2
 *     2 address         ip address add     network_add_addresses(), may_add()
 *     3 gateway         in both tables     choose_in_force(), family_routes_apply(): once 2 can be used (IPv6: DAD)
 *     4 announcement    HELD               announcer_peer_tell(): in the same turn as 3
 *     5 egress          IPv6: snat to …    on_changed() -> ruleset.c; IPv4's masquerade takes the primary address
 *     6 old address     ip address del     network_remove_addresses(): HANDOVER_DELAY after 3, or in a hurry at once
 *     7 old element     and its flows      on_changed() -> ruleset.c -> conntrack.c
 *
 * Every step looks at the kernel only, so that a successor goes on wherever somebody died.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "workers/netadmin/link/address_change.h"
#include "workers/netadmin/network_internal.h"
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

/* Without both links there is no ruleset that could miss an element. */
static bool may_add(const struct network *network, const struct ip_address *address)
{
    return !network_ground_find(&network->ground, DEVICE_SIDE_SHARED) ||
           ip_address_is_among(address, network->installed, network->installed_count);
}

bool network_awaits_element(const struct network *network)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        for (size_t j = 0; j < network->plans[i].wanted_count; j++) {
            if (!may_add(network, &network->plans[i].wanted[j].address.address))
                return true;
        }
    }
    return false;
}

static bool is_written(const struct family_addresses *addresses, const struct network_link *link,
                       const struct wanted_address *wanted)
{
    const struct wanted_address *written = &addresses->written[wanted->number];

    return addresses->written_index == link->index && written->valid_until == wanted->valid_until &&
           written->preferred_until == wanted->preferred_until &&
           written->address.prefix_length == wanted->address.prefix_length &&
           ip_address_equal(&written->address.address, &wanted->address.address);
}

/* Whether the kernel has it already as it shall be. */
static bool is_right(const struct family_addresses *addresses, const struct network_link *link,
                     const struct wanted_address *wanted)
{
    const struct link_address *entry = address_plan_find(link, &wanted->address);

    if (!entry || !!(entry->flags & IFA_F_PERMANENT) != (wanted->valid_until == TIME_NEVER))
        return false;
    return !wanted->is_lease || is_written(addresses, link, wanted);
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
        log_warn("external address was removed by somebody else, put back", LOG_TEXT("interface", link->name),
                 LOG_TEXT("address", text), LOG_TEXT("origin", origin));
    else
        log_info("external address added", LOG_TEXT("interface", link->name), LOG_TEXT("address", text),
                 LOG_TEXT("origin", origin));
}

static int put_wanted(struct network *network, size_t family_index, const struct network_link *link,
                      const struct address_plan *before, const struct wanted_address *wanted)
{
    struct family_addresses *addresses = &network->addresses[family_index];
    uint64_t now = clock_boottime_microseconds();
    struct address_lifetime lifetime = {seconds_left(wanted->valid_until, now),
                                        seconds_left(wanted->preferred_until, now)};
    struct rtnetlink_request request;
    int result;

    if (is_right(addresses, link, wanted) || !may_add(network, &wanted->address.address) ||
        (wanted->is_lease && addresses->is_duplicate))
        return 0;
    result = address_put(network->ground.rtnetlink, &request, link, &wanted->address, &lifetime);
    if (network_ground_report(&network->ground, step_of(family_index), &request, result) < 0)
        return result;
    report_put(before, link, wanted);
    if (wanted->is_lease) {
        if (addresses->written_index != link->index)
            memset(addresses->written, 0, sizeof(addresses->written));
        addresses->written[wanted->number] = *wanted;
        addresses->written_index = link->index;
    }
    return 0;
}

/* The gateway of what serves: the old one stays until the new address can be used. Returns whether other routes are
 * wanted now. */
static bool choose_in_force(struct family_addresses *addresses, const struct address_plan *plan, uint64_t now)
{
    bool has_lease = plan->has_lease;
    bool differs;

    if (!plan->is_complete) {
        addresses->complete_since = 0;
        return false;
    }
    if (addresses->complete_since == 0)
        addresses->complete_since = now;
    if (plan->is_adopted)
        return false;
    differs = has_lease != addresses->has_in_force ||
              (has_lease && !lease_routes_equal(&addresses->in_force, &addresses->lease.lease));
    addresses->has_in_force = has_lease;
    if (has_lease)
        addresses->in_force = addresses->lease.lease;
    return differs;
}

static struct address_plan make_plan(const struct network *network, size_t family_index,
                                     const struct network_link *link)
{
    uint8_t family = network->families[family_index].family;
    struct address_inputs inputs = {
        .family = family,
        .link = link,
        .bootstrap = witness_bootstrap(&network->witness, &network->ground, family),
        .takes_leases = network->ground.address_mode == ADDRESS_MODE_DHCP_REFRESH,
        .lease = &network->addresses[family_index].lease,
        .now = clock_boottime_microseconds(),
    };

    return address_plan_make(&inputs);
}

static int add_addresses(struct network *network, size_t family_index, const struct network_link *link)
{
    struct family_addresses *addresses = &network->addresses[family_index];
    struct address_plan before = network->plans[family_index];
    struct address_plan *plan = &network->plans[family_index];
    int first = 0;

    *plan = make_plan(network, family_index, link);
    if (choose_in_force(addresses, plan, clock_boottime_microseconds()))
        network->families[family_index].own.is_settled = false; /* what is missing now, nobody took away */
    for (size_t i = 0; i < plan->wanted_count && link->is_up; i++) {
        int result = put_wanted(network, family_index, link, &before, &plan->wanted[i]);

        keep_first(&first, result);
    }
    addresses->failure = first;
    return first;
}

int network_add_addresses(struct network *network)
{
    const struct network_link *link = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    int first = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        int result = 0;

        if (!link)
            network->plans[i] = (struct address_plan){.next = TIME_NEVER};
        else if (!network->families[i].own.is_absent)
            result = add_addresses(network, i, link);
        keep_first(&first, result);
    }
    return first;
}

void network_forget_serving(struct network *network)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        for (size_t j = 0; j < network->plans[i].wanted_count; j++)
            network->plans[i].wanted[j].serves = false;
    }
}

void network_note_duplicate(struct network *network, const struct network_link *link,
                            const struct link_address *address)
{
    struct family_addresses *addresses = &network->addresses[address->address.family == IP_FAMILY_6];
    struct known_lease *lease = &addresses->lease;

    if (address_is_leased(address) && !known_lease_names(lease, &address->address))
        return; /* of a lease that was given up: the server has heard of it */
    if (lease->is_held && ip_address_equal(&lease->lease.address, &address->address)) {
        addresses->is_duplicate = true;
        return;
    }
    for (size_t i = 0; lease->is_held && i < lease->lease.further_count; i++) {
        if (ip_address_equal(&lease->lease.further[i].address, &address->address))
            lease->further[i].is_duplicate = true;
    }
    network_report_duplicate(network, link, &address->address);
}

int network_adopt_lease(struct network *network, const struct family_state *family)
{
    size_t family_index = (size_t)(family - network->families);
    struct family_addresses *addresses = &network->addresses[family_index];
    const struct network_link *link = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    struct rtnetlink_request request;
    struct lease lease = {0};
    int result;

    if (addresses->has_in_force || !network->plans[family_index].is_adopted)
        return 0;
    result = route_table_read_lease(network->ground.rtnetlink, &request, family->family, family->own.table, &lease);
    if (network_ground_report(&network->ground, NETWORK_STEP_ADOPTION, &request, result) < 0)
        return result;
    for (uint32_t i = 0; i < link->address_count; i++) {
        if (link->addresses[i].address.family == family->family && address_is_leased(&link->addresses[i])) {
            lease.address = link->addresses[i].address;
            lease.prefix_length = link->addresses[i].prefix_length;
        }
    }
    addresses->in_force = lease;
    addresses->has_in_force = true;
    return 0;
}

const struct lease *network_lease_in_force(const struct network *network, uint8_t family)
{
    const struct family_addresses *addresses = &network->addresses[family == IP_FAMILY_6];

    return addresses->has_in_force ? &addresses->in_force : NULL;
}

/* --- what goes ------------------------------------------------------------------------------------------- */

/* Without promote_secondaries the kernel would take the others of the subnet with it. */
static bool may_remove(const struct network *network, size_t family_index, const struct network_link *link,
                       uint64_t now)
{
    const struct address_plan *plan = &network->plans[family_index];
    uint64_t since = network->addresses[family_index].complete_since;

    return plan->is_complete && plan->surplus_count > 0 && link->settings.promote_secondaries == 1 &&
           (plan->is_hurried || now >= since + HANDOVER_DELAY);
}

static int remove_surplus(struct network *network, size_t family_index, const struct network_link *link)
{
    struct address_plan *plan = &network->plans[family_index];

    while (plan->surplus_count > 0) {
        const struct link_address *address = &plan->surplus[plan->surplus_count - 1];
        struct ip_subnet subnet = {address->address, address->prefix_length};
        struct rtnetlink_request request;
        char text[IP_SUBNET_TEXT_SIZE];
        int result = address_remove(network->ground.rtnetlink, &request, link, address);

        if (network_ground_report(&network->ground, step_of(family_index), &request, result) < 0)
            return result;
        log_info("external address given up", LOG_TEXT("interface", link->name),
                 LOG_TEXT("address", ip_subnet_format(&subnet, text)),
                 LOG_TEXT("origin", address_is_leased(address) ? "lease" : "Docker"));
        plan->surplus_count--;
    }
    return 0;
}

void network_answer_lease(struct network *network, size_t family_index, int error, const char *reason)
{
    struct family_addresses *addresses = &network->addresses[family_index];
    struct message_lease_applied message = {
        .header = message_header_make(MESSAGE_LEASE_APPLIED, sizeof(message), addresses->generation),
        .family = network->families[family_index].family,
        .error = error,
    };

    text_copy_cut(message.reason, sizeof(message.reason), reason);
    addresses->owes_answer = false;
    network->callbacks.on_lease_applied(network, &message, network->callbacks.userdata);
}

static void settle_lease(struct network *network, size_t family_index)
{
    struct family_addresses *addresses = &network->addresses[family_index];
    struct address_plan *plan = &network->plans[family_index];

    if (addresses->is_duplicate) {
        addresses->is_duplicate = false;
        addresses->lease = (struct known_lease){.is_known = true};
        network_answer_lease(network, family_index, -EADDRINUSE, "somebody else has the address");
        plan->next = 0; /* another one, at once after this turn */
        return;
    }
    if (!addresses->owes_answer)
        return;
    if (addresses->failure < 0)
        network_answer_lease(network, family_index, addresses->failure,
                             network->ground.failures[step_of(family_index)]);
    else if (addresses->lease.is_held && !plan->has_lease)
        network_answer_lease(network, family_index, -ETIME, "the lease is over");
    else if (plan->is_complete)
        network_answer_lease(network, family_index, 0, "");
}

/* What could not be removed although its time has come waits for a notification. */
static uint64_t next_turn(const struct network *network, size_t family_index, uint64_t now)
{
    const struct address_plan *plan = &network->plans[family_index];
    uint64_t removal = network->addresses[family_index].complete_since + HANDOVER_DELAY;
    bool awaits_removal = plan->is_complete && plan->surplus_count > 0 && removal > now;

    return awaits_removal && removal < plan->next ? removal : plan->next;
}

static void set_timer(struct network *network, uint64_t now)
{
    uint64_t first = next_turn(network, FAMILY_INDEX_4, now);
    uint64_t second = next_turn(network, FAMILY_INDEX_6, now);
    uint64_t next = first < second ? first : second;

    (void)sd_event_source_set_time(network->address_timer, next);
    (void)sd_event_source_set_enabled(network->address_timer, next == TIME_NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

int network_remove_addresses(struct network *network)
{
    const struct network_link *link = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    uint64_t now = clock_boottime_microseconds();
    int first = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && link; i++) {
        int result = 0;

        if (may_remove(network, i, link, now))
            result = remove_surplus(network, i, link);
        settle_lease(network, i);
        keep_first(&first, result);
    }
    set_timer(network, now);
    return first;
}

static int put_bootstrap_back(struct network *network, size_t family_index, const struct network_link *link)
{
    const struct address_plan *plan = &network->plans[family_index];
    const struct address_lifetime forever = {LIFETIME_INFINITE, LIFETIME_INFINITE};
    struct rtnetlink_request request;
    int result = 0;

    for (size_t i = 0; i < plan->wanted_count && result == 0; i++) {
        result = address_put(network->ground.rtnetlink, &request, link, &plan->wanted[i].address, &forever);
        (void)network_ground_report(&network->ground, step_of(family_index), &request, result);
    }
    return result;
}

int network_remove_leases(struct network *network)
{
    const struct network_link *link = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    int first = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && link && network->ground.address_mode == ADDRESS_MODE_DHCP_REFRESH;
         i++) {
        int result = 0;

        network->addresses[i].lease = (struct known_lease){.is_known = true};
        network->plans[i] = make_plan(network, i, link);
        if (network->plans[i].surplus_count > 0)
            result = put_bootstrap_back(network, i, link);
        if (result == 0)
            result = remove_surplus(network, i, link);
        keep_first(&first, result);
    }
    return first;
}
