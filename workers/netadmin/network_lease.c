/*
 * Leases taken or refused; see network.h. Runs in anchord-netadmin. What a server said has passed the supervisor, which
 * checked its form alone: here it is judged.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "workers/netadmin/network_internal.h"

#include <string.h>

static void on_refused(const char *object, const char *reason, void *userdata)
{
    const struct network *network = userdata;

    log_warn("lease: address, gateway, route or MTU refused, the rest of it is used", LOG_TEXT("refused", object),
             LOG_TEXT("network", network->ground.topology.external.name), LOG_TEXT("reason", reason));
}

static void ignore_refused(const char *object, const char *reason, void *userdata)
{
    (void)object;
    (void)reason;
    (void)userdata;
}

/* Whether the lease says another thing than the one before: a renewal repeats all but the times. */
static bool is_news(struct family_addresses *addresses, const struct wire_lease *lease)
{
    struct wire_lease judged = *lease;

    judged.valid_seconds = judged.preferred_seconds = judged.renewal_seconds = judged.rebinding_seconds = 0;
    for (uint32_t i = 0; i < LEASE_FURTHER_MAX; i++)
        judged.further[i].valid_seconds = judged.further[i].preferred_seconds = 0;
    if (memcmp(&addresses->judged, &judged, sizeof(judged)) == 0)
        return false;
    addresses->judged = judged;
    return true;
}

static int check(struct network *network, const struct message_lease *message, struct lease *ret,
                 char reason[REASON_SIZE])
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    struct family_addresses *addresses = &network->addresses[message->family == IP_FAMILY_6];
    struct lease_policy policy = {
        .shared = &network->witness.shared_believed,
        .links = &network->ground.links,
        .external_index = external ? external->index : 0,
        .on_refused = is_news(addresses, &message->lease) ? on_refused : ignore_refused,
        .userdata = network,
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

/* What somebody else has is no problem any more once the server does not give it. */
static void forget_duplicates(struct network *network, const struct known_lease *before,
                              const struct known_lease *after)
{
    for (size_t i = 0; i < before->lease.further_count; i++) {
        if (before->further[i].is_duplicate && !known_lease_names(after, &before->lease.further[i].address))
            network_forget_duplicate(network, &before->lease.further[i].address);
    }
}

static int refuse(int error, const char *text, char reason[REASON_SIZE])
{
    text_copy_cut(reason, REASON_SIZE, text);
    return error;
}

int network_set_lease(struct network *network, const struct message_lease *message, char reason[REASON_SIZE])
{
    struct family_addresses *addresses = &network->addresses[message->family == IP_FAMILY_6];
    struct known_lease state = {.is_known = true, .is_held = message->is_held != 0};
    int result = 0;

    if (network->ground.address_mode != ADDRESS_MODE_DHCP_REFRESH)
        return refuse(-EOPNOTSUPP, "the address mode takes no leases", reason);
    if (!network->ground.has_topology)
        return refuse(-ENODEV, "there is no external network yet", reason);
    if (message->received > clock_boottime_microseconds())
        return refuse(-EPERM, "received in the future", reason);
    if (state.is_held)
        result = check(network, message, &state.lease, reason);
    if (result < 0)
        return result;
    take_lifetimes(message, &state);
    forget_duplicates(network, &addresses->lease, &state);
    addresses->lease = state;
    addresses->generation = message->header.generation;
    addresses->owes_answer = true;
    (void)network_refresh(network); /* reported, and planned again */
    return 0;
}
