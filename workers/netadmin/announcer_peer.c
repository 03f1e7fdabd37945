/*
 * The network half's conversation with the announcer; see announcer_peer.h. Runs in anchord-netadmin.
 *
 * The announcer is less privileged than we are. It says whether a gateway address is free: a lying one can keep us from
 * claiming it, or let us claim one that somebody has. And it says which prefixes a router named last: a lying one can
 * have us leave with another of our addresses. What it says of an address that we hold is shown, and changes nothing.
 * It cannot name an address.
 */
#include "workers/netadmin/announcer_peer.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/shell_word.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "protocol/state_sender.h"

#include <string.h>
#include <sys/random.h>

static const struct state_form held_form = {MESSAGE_HELD_BEGIN, MESSAGE_HELD_ITEMS, MESSAGE_HELD_COMMIT,
                                            HELD_PER_MESSAGE, sizeof(struct wire_held)};
static_assert(HELD_ADDRESSES_MAX <= HELD_MAX, "the announcer takes them all");

static struct wire_held held_from(const struct network_link *link, const struct ip_address *address)
{
    struct wire_held held = {
        .index = link->index,
        .mac = link->mac,
        .is_router = link->settings.ipv6_flags & LINK_IPV6_FORWARDS ? 1 : 0,
        .address = wire_address_from(address),
    };

    text_copy_cut(held.name, sizeof(held.name), link->name);
    return held;
}

/*
 * What a link holds is announced when it can send: one that came up a moment ago loses it, because the kernel
 * activates its queue later (net/core/link_watch.c: up to 1 s).
 */
static size_t list_link(const struct network_link *link, struct wire_held *ret)
{
    size_t count = 0;

    if (!link || !link->is_running || mac_address_is_zero(&link->mac))
        return 0;
    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct link_address *address = &link->addresses[i];

        if (link_address_is_usable(address) && !ip_address_is_link_local(&address->address))
            ret[count++] = held_from(link, &address->address);
    }
    return count;
}

void announcer_peer_tell(struct announcer_peer *peer, const struct network_link *external,
                         const struct network_link *shared, bool must_send)
{
    struct wire_held held[HELD_ADDRESSES_MAX];
    size_t count = list_link(external, held);
    int result = 0;

    count += list_link(shared, held + count);
    if (!shared && !peer->ground->is_attached)
        peer->probes = (struct gateway_probes){0};
    event_loop_set_timer(peer->probe_timer, gateway_probe_next(&peer->probes));
    duplicates_keep_held(&peer->contested, held, count);
    if (!must_send && count == peer->held_count && memcmp(held, peer->held, count * sizeof(held[0])) == 0)
        return;
    peer->held_count = count;
    memcpy(peer->held, held, count * sizeof(held[0]));
    if (peer->channel)
        result = state_sender_send(peer->channel, &held_form, ++peer->held_generation, held, count);
    if (result < 0)
        log_error("cannot tell the announcer what to announce", LOG_ERROR(result));
}

void announcer_peer_ask(struct announcer_peer *peer, const struct network_link *link, const struct ip_address *address)
{
    struct message_probe question = {
        .header = message_header_make(MESSAGE_PROBE, sizeof(question), 0),
        .target = held_from(link, address),
    };

    if (peer->channel)
        (void)channel_send_message(peer->channel, &question); /* without an answer we go on */
}

bool announcer_peer_may_claim(const struct network_link *link, const struct ip_address *address, void *userdata)
{
    struct announcer_peer *peer = userdata;
    uint64_t now = clock_monotonic_microseconds();
    enum gateway_verdict verdict;

    if (!peer->channel)
        return true;
    verdict = gateway_probe_decide(&peer->probes, address, now);
    if (verdict == GATEWAY_VERDICT_ASK) {
        announcer_peer_ask(peer, link, address);
        gateway_probe_asked(&peer->probes, address, now);
    }
    return verdict == GATEWAY_VERDICT_CLAIM;
}

/* Nobody can be asked: without an answer we go on. */
static bool may_take_blindly(struct announcer_peer *peer, const struct ip_address *address)
{
    uint64_t now = clock_monotonic_microseconds();
    enum gateway_verdict verdict = gateway_probe_decide(&peer->probes, address, now);

    if (verdict == GATEWAY_VERDICT_ASK) {
        uint32_t longer = peer->channel ? GATEWAY_CARRIER_MILLISECONDS - GATEWAY_ANSWER_MILLISECONDS : 0;

        gateway_probe_asked(&peer->probes, address, now + longer * MICROSECONDS_PER_MILLISECOND);
    }
    peer->is_blind = true;
    return verdict == GATEWAY_VERDICT_CLAIM;
}

bool announcer_peer_may_take(const struct network_link *link, const struct ip_address *address, void *userdata)
{
    struct announcer_peer *peer = userdata;

    if (peer->probed_index != link->index)
        peer->probes = (struct gateway_probes){0};
    peer->probed_index = link->index;
    if (!peer->channel || !link->is_running)
        return may_take_blindly(peer, address);
    if (peer->is_blind)
        gateway_probe_forget_questions(&peer->probes);
    peer->is_blind = false;
    return announcer_peer_may_claim(link, address, peer);
}

static void report_holder(const struct announcer_peer *peer, const struct message_probed *answer)
{
    struct ip_address address = wire_address_to(&answer->target.address);
    char remedy[SHELL_WORD_SIZE + 256];
    char mac[MAC_ADDRESS_TEXT_SIZE];
    char said[64];

    (void)snprintf(said, sizeof(said), "held by MAC %s", mac_address_format(&answer->holder, mac));
    if (peer->ground->is_attached) {
        log_error("the address that was given is not taken, another host on the LAN has it; trying again until it is "
                  "free: free it there, or give another one",
                  LOG_PROBLEM(PROBLEM_DUPLICATE_ADDRESS), LOG_TEXT("variable", "ANCHORD_ADDRESS"),
                  LOG_TEXT("address", IP_ADDRESS_TEXT(&address)), LOG_TEXT("mac", mac), LOG_ERROR_TEXT(said));
        return;
    }
    (void)snprintf(remedy, sizeof(remedy),
                   "docker stop $(docker network inspect -f '{{range .Containers}}{{if eq .MacAddress \"%s\"}}{{.Name}}"
                   "{{end}}{{end}}' %s)   # who has it; one network-anchor for each transit network",
                   mac, SHELL_WORD(peer->ground->topology.shared.name));
    log_error("gateway address not claimed, somebody else has it; trying again until it is free",
              LOG_PROBLEM(PROBLEM_GATEWAY_NOT_CLAIMED), LOG_TEXT("address", IP_ADDRESS_TEXT(&address)),
              LOG_TEXT("network", peer->ground->topology.shared.name), LOG_TEXT("mac", mac), LOG_ERROR_TEXT(said),
              LOG_TEXT("remedy", remedy));
}

static void handle_probed(struct announcer_peer *peer, const struct message_probed *answer)
{
    struct ip_address address = wire_address_to(&answer->target.address);
    uint32_t random;
    bool is_expected;

    peer->callbacks.on_probed(answer, peer->callbacks.userdata);
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = 0;
    if (gateway_probe_answered(&peer->probes, &address, &answer->holder, clock_monotonic_microseconds(), random,
                               &is_expected))
        report_holder(peer, answer);
    if (is_expected)
        network_ground_wake(peer->ground);
}

/* The kernel answers on each link for the addresses of all: two links of ours on one LAN hear each other. That it is
 * over names nobody, and a tunnel has no MAC address either. */
static void handle_contested(struct announcer_peer *peer, const struct message_probed *message)
{
    if (message->is_held && link_table_find_mac(&peer->ground->links, &message->holder))
        return;
    duplicates_follow(&peer->contested, message);
    peer->ground->must_tell = true;
    network_ground_wake(peer->ground);
}

static void on_announcer_message(struct channel *channel, const struct message_header *message, int descriptor,
                                 void *userdata)
{
    struct announcer_peer *peer = userdata;

    switch (message->type) {
    case MESSAGE_PROBED:
        handle_probed(peer, (const struct message_probed *)message);
        break;
    case MESSAGE_ADVERTISED:
        peer->callbacks.on_advertised((const struct message_advertised *)message, peer->callbacks.userdata);
        break;
    case MESSAGE_CONTESTED:
        handle_contested(peer, (const struct message_probed *)message);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

static void on_announcer_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct announcer_peer *peer = userdata;

    (void)channel;
    if (error < 0)
        log_error("connection to the announcer ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    else
        log_debug("the announcer has gone");
    peer->channel = channel_free(peer->channel);
    network_ground_wake(peer->ground);
}

int announcer_peer_link(struct announcer_peer *peer, int descriptor)
{
    const struct channel_callbacks callbacks = {on_announcer_message, on_announcer_closed, peer};
    sd_event *event = sd_event_source_get_event(peer->probe_timer);

    announcer_peer_close(peer);
    gateway_probe_forget_questions(&peer->probes);
    peer->contested.count = 0; /* it tells what it knows, and asks when it announces */
    return channel_new(event, descriptor, DIRECTION_ANNOUNCER_TO_NETADMIN, &callbacks, &peer->channel);
}

void announcer_peer_close(struct announcer_peer *peer)
{
    peer->channel = channel_free(peer->channel);
}
