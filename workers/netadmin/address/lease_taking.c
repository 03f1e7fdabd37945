/* Leases taken or refused; see lease_taking.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/address/lease_taking.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"
#include "workers/netadmin/plan/inner_prefixes.h"
#include "workers/netadmin/plan/map_state.h"

#include <string.h>

static void on_refused(const char *object, const char *reason, void *userdata)
{
    const struct external_addresses *addresses = userdata;

    log_warn("lease: address, gateway, route or MTU refused, the rest of it is used",
             LOG_PROBLEM(PROBLEM_LEASE_REFUSED), LOG_TEXT("refused", object),
             LOG_TEXT("network", addresses->ground->topology.external.name), LOG_TEXT("reason", reason));
}

static void ignore_refused(const char *object, const char *reason, void *userdata)
{
    (void)object;
    (void)reason;
    (void)userdata;
}

/* Whether the lease says another thing than the one before: a renewal repeats all but the times. */
static bool is_news(struct family_addresses *family, const struct wire_lease *lease)
{
    struct wire_lease judged = *lease;

    judged.valid_seconds = judged.preferred_seconds = judged.renewal_seconds = judged.rebinding_seconds = 0;
    for (uint32_t i = 0; i < LEASE_FURTHER_MAX; i++)
        judged.further[i].valid_seconds = judged.further[i].preferred_seconds = 0;
    if (memcmp(&family->judged, &judged, sizeof(judged)) == 0)
        return false;
    family->judged = judged;
    return true;
}

static int check(struct external_addresses *addresses, const struct message_lease *message, struct lease *ret,
                 char reason[REASON_SIZE])
{
    const struct network_link *external = network_ground_find(addresses->ground, DEVICE_SIDE_EXTERNAL);
    struct family_addresses *family = &addresses->families[family_index_from_family((uint8_t)message->family)];
    struct lease_policy policy = {
        .shared = &addresses->witness->shared_believed,
        .links = &addresses->ground->links,
        .external_index = external ? external->index : 0,
        .is_attached = addresses->ground->is_attached,
        .on_refused = is_news(family, &message->lease) ? on_refused : ignore_refused,
        .userdata = addresses,
    };

    return lease_policy_check(&policy, (uint8_t)message->family, &message->lease, ret, reason);
}

static uint64_t end_of(uint64_t received, uint32_t seconds)
{
    return seconds == LEASE_SECONDS_FOREVER ? TIME_NEVER : received + seconds * MICROSECONDS_PER_SECOND;
}

static void take_lifetimes(const struct message_lease *message, struct known_lease *state)
{
    state->valid_until = end_of(message->received, message->lease.valid_seconds);
    state->preferred_until = end_of(message->received, message->lease.preferred_seconds);
    for (size_t i = 0; i < state->lease.further_count; i++) {
        const struct further_address *further = &state->lease.further[i];

        state->further[i] = (struct known_further){
            .valid_until = end_of(message->received, further->valid_seconds),
            .preferred_until = end_of(message->received, further->preferred_seconds),
        };
    }
}

static int refuse(int error, const char *text, char reason[REASON_SIZE])
{
    text_copy_cut(reason, REASON_SIZE, text);
    return error;
}

int lease_taking_set(struct external_addresses *addresses, const struct message_lease *message,
                     char reason[REASON_SIZE])
{
    struct family_addresses *family = &addresses->families[family_index_from_family((uint8_t)message->family)];
    struct known_lease state = {.is_known = true, .is_held = message->is_held != 0};
    int result = 0;

    if (addresses->ground->address_mode != ADDRESS_MODE_DHCP_REFRESH)
        return refuse(-EOPNOTSUPP, "the address mode takes no leases", reason);
    if (!addresses->ground->has_topology)
        return refuse(-ENODEV, "there is no external network yet", reason);
    if (message->received > clock_boottime_microseconds())
        return refuse(-EPERM, "received in the future", reason);
    if (state.is_held)
        result = check(addresses, message, &state.lease, reason);
    if (result < 0)
        return result;
    take_lifetimes(message, &state);
    family->lease = state;
    family->generation = message->header.generation;
    family->owes_answer = true;
    return 0;
}

/* --- a lease that lies inside ------------------------------------------------------------------------------ */

/* The supervisor learns at once that what it takes for held is not, not with the next renewal. */
static void give_up_lease(struct external_addresses *addresses, size_t family_index, const struct network_link *link,
                          const struct ip_subnet *inner)
{
    struct family_addresses *family = &addresses->families[family_index];
    bool is_told = family->lease.is_held;
    char reason[INNER_REASON_SIZE];

    family->lease = (struct known_lease){.is_known = true};
    family->has_in_force = false;
    if (is_told)
        external_addresses_answer(addresses, family_index, -EPERM, inner_prefix_reason(inner, link, reason));
}

static const struct ip_address *leased_address(const struct external_addresses *addresses, size_t family_index)
{
    const struct family_addresses *family = &addresses->families[family_index];

    if (family->lease.is_held)
        return &family->lease.lease.address;
    return family->has_in_force ? &family->in_force.address : NULL;
}

/* The link whose network, in *ret, a leased address lies in, which is said; or NULL. */
static const struct network_link *find_reason(const struct inner_guard *guard, const struct ip_address *address,
                                              struct ip_subnet *ret)
{
    const struct network_link *link = inner_guard_find_around(guard, address, ret);

    if (link)
        log_error("leased address given up: it lies in an inner network", LOG_PROBLEM(PROBLEM_INNER_ADDRESS),
                  LOG_TEXT("address", IP_ADDRESS_TEXT(address)), LOG_TEXT("inner", IP_SUBNET_TEXT(ret)),
                  LOG_TEXT("interface", link->name));
    return link;
}

static void refuse_inner_further(const struct inner_guard *guard, struct known_lease *state)
{
    struct lease *lease = &state->lease;
    struct ip_subnet inner;
    size_t kept = 0;

    for (size_t i = 0; i < lease->further_count; i++) {
        if (find_reason(guard, &lease->further[i].address, &inner))
            continue;
        lease->further[kept] = lease->further[i];
        state->further[kept++] = state->further[i];
    }
    lease->further_count = kept;
}

void lease_taking_refuse_inner(struct external_addresses *addresses, const struct inner_guard *guard)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const struct ip_address *address = leased_address(addresses, i);
        const struct network_link *link;
        struct ip_subnet inner;

        refuse_inner_further(guard, &addresses->families[i].lease);
        link = address ? find_reason(guard, address, &inner) : NULL;
        if (link)
            give_up_lease(addresses, i, link, &inner);
    }
}
