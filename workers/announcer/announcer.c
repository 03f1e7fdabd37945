/* The state machine of the announcer; see announcer.h. Runs in anchord-announcer without any privilege. */
#include "workers/announcer/announcer.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/channel.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "protocol/supervised.h"
#include "workers/announcer/announcements.h"
#include "workers/announcer/held_state.h"
#include "workers/announcer/probes.h"
#include "workers/announcer/router_packet.h"
#include "workers/neighbours/arp_packet.h"
#include "workers/neighbours/neighbour_packet.h"
#include "workers/neighbours/packet_filter.h"
#include "workers/neighbours/raw_sockets.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>

#define TIMER_ACCURACY (1 * MICROSECONDS_PER_MILLISECOND)

/* A flood of forged frames: no more than this many are looked at, then the kernel drops for the rest of the interval.
 */
#define FRAMES_PER_TURN    16
#define TURNS_PER_INTERVAL 20
#define TURN_INTERVAL      (200 * MICROSECONDS_PER_MILLISECOND)

static_assert(HELD_MAX + PROBES_MAX <= PACKET_FILTER_ADDRESSES_MAX, "the filters take every address");

struct raw_socket {
    int fd; /* -1 until RAW_SOCKET */
    sd_event_source *source;
};

struct announcer {
    sd_event *event;
    struct channel *supervisor;
    struct channel *netadmin; /* NULL until LINK */
    struct raw_socket arp;    /* sends for both families */
    struct raw_socket neighbour;
    sd_event_source *timer; /* the next announcement or question */
    struct held_state incoming;
    struct announcements announcements; /* the last committed state */
    struct probes probes;
    struct advertisements advertisements;
    struct packet_filter filter; /* scratch */
    int send_error;              /* as last said in the log */
};

/* --- sending --------------------------------------------------------------------------------------------- */

static void send_frame(struct announcer *announcer, const struct wire_held *held, const struct ethernet_frame *frame)
{
    int result = raw_socket_send(announcer->arp.fd, held->index, frame);

    if (result < 0 && result != announcer->send_error)
        log_warn("cannot send an announcement", LOG_TEXT("interface", held->name), LOG_ERROR(result));
    announcer->send_error = result;
}

static void send_announcement(struct announcer *announcer, const struct announcement *announcement)
{
    struct ethernet_frame frame;

    if (announcement->address.family == IP_FAMILY_4)
        arp_build_announcement(&announcement->held.mac, &announcement->address, &frame);
    else
        neighbour_build_announcement(&announcement->held.mac, &announcement->address, announcement->held.is_router != 0,
                                     &frame);
    send_frame(announcer, &announcement->held, &frame);
}

static void send_question(struct announcer *announcer, const struct wire_held *target, const struct ip_address *address)
{
    struct ethernet_frame frame;

    if (address->family == IP_FAMILY_4)
        arp_build_probe(&target->mac, address, &frame);
    else
        neighbour_build_probe(&target->mac, address, &frame);
    send_frame(announcer, target, &frame);
}

/* --- plan ------------------------------------------------------------------------------------------------ */

static void set_filter(struct raw_socket *raw, const struct packet_filter *filter)
{
    int result = raw->fd < 0 ? 0 : raw_socket_filter(raw->fd, filter);

    if (result < 0)
        log_error("cannot set a packet filter", LOG_NUMBER("instructions", filter->length), LOG_ERROR(result));
}

static void update_filters(struct announcer *announcer)
{
    struct ip_address addresses[HELD_MAX + PROBES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < announcer->announcements.count; i++)
        addresses[count++] = announcer->announcements.items[i].address;
    for (size_t i = 0; i < announcer->probes.count; i++)
        addresses[count++] = announcer->probes.items[i].address;
    packet_filter_make_arp(addresses, count, &announcer->filter);
    set_filter(&announcer->arp, &announcer->filter);
    packet_filter_make_neighbour(addresses, count, &announcer->filter);
    set_filter(&announcer->neighbour, &announcer->filter);
}

/* `holder` zero: nobody. */
static void finish_probe(struct announcer *announcer, struct probe *probe, const struct mac_address *holder)
{
    struct message_probed answer = {
        .header = message_header_make(MESSAGE_PROBED, sizeof(answer), probe->generation),
        .target = probe->target,
        .is_held = !mac_address_is_zero(holder),
        .holder = *holder,
    };

    probes_remove(&announcer->probes, probe);
    update_filters(announcer);
    if (announcer->netadmin)
        (void)channel_send_message(announcer->netadmin, &answer); /* on_netadmin_closed() hears of a failure */
}

/* Equally distributed; a kernel without entropy yet only costs the jitter. */
static uint32_t draw(void)
{
    uint32_t number;

    return getrandom(&number, sizeof(number), GRND_NONBLOCK) == sizeof(number) ? number : 0;
}

/* Both when it begins and when it is over, and to a new netadmin. */
static void tell_contest(struct announcer *announcer, const struct announcement *announcement)
{
    struct message_probed message = {
        .header = message_header_make(MESSAGE_CONTESTED, sizeof(message), 0),
        .target = announcement->held,
        .is_held = !mac_address_is_zero(&announcement->contest.holder),
        .holder = announcement->contest.holder,
    };

    if (announcer->netadmin)
        (void)channel_send_message(announcer->netadmin, &message); /* on_netadmin_closed() hears of a failure */
}

/*
 * Who has an IPv4 address need never say so by himself, and the kernel asks nobody before it uses one (in IPv6 it does,
 * RFC 4862 §5.4): with each announcement he is asked.
 */
static void announce_and_ask(struct announcer *announcer, struct announcement *announcement, uint64_t now)
{
    send_announcement(announcer, announcement);
    if (announcement->address.family == IP_FAMILY_4)
        send_question(announcer, &announcement->held, &announcement->address);
    announcement_sent(announcement, now, draw());
}

static void follow_contest(struct announcer *announcer, struct announcement *announcement, uint64_t now)
{
    enum contest_turn turn = contest_take_turn(&announcement->contest, now);

    if (turn == CONTEST_ASK)
        send_question(announcer, &announcement->held, &announcement->address);
    if (turn == CONTEST_OVER)
        tell_contest(announcer, announcement);
}

/* Does what is due and sets the timer for what comes next. */
static void take_turn(struct announcer *announcer)
{
    uint64_t now = clock_monotonic_microseconds();
    struct announcement *announcement;
    struct probe *probe;
    uint64_t next;

    if (announcer->arp.fd < 0)
        return;
    while ((probe = probes_find_due(&announcer->probes, now))) {
        if (probe_takes_turn(probe, now))
            send_question(announcer, &probe->target, &probe->address);
        else
            finish_probe(announcer, probe, &(struct mac_address){{0}});
    }
    while ((announcement = announcements_find_due(&announcer->announcements, now)))
        announce_and_ask(announcer, announcement, now);
    for (size_t i = 0; i < announcer->announcements.count; i++)
        follow_contest(announcer, &announcer->announcements.items[i], now);
    next = probes_next(&announcer->probes);
    if (announcements_next(&announcer->announcements) < next)
        next = announcements_next(&announcer->announcements);
    event_loop_set_timer(announcer->timer, next);
}

static int on_timer(sd_event_source *source, uint64_t planned, void *userdata)
{
    (void)source;
    (void)planned;
    take_turn(userdata);
    return 0;
}

/* --- receiving ------------------------------------------------------------------------------------------- */

static void log_conflict(const struct wire_held *held, const struct ip_address *address,
                         const struct mac_address *holder, bool is_probe, uint64_t unlogged)
{
    char address_text[IP_ADDRESS_TEXT_SIZE];
    char mac[MAC_ADDRESS_TEXT_SIZE];
    char said[64];

    (void)mac_address_format(holder, mac);
    if (mac_address_is_zero(holder))
        (void)snprintf(said, sizeof(said), "another host wants to take it");
    else
        (void)snprintf(said, sizeof(said), is_probe ? "wanted by MAC %s" : "held by MAC %s", mac);
    log_at(is_probe ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "address conflict", LOG_PROBLEM(PROBLEM_DUPLICATE_ADDRESS),
           LOG_TEXT("address", ip_address_format(address, address_text)), LOG_TEXT("interface", held->name),
           LOG_ERROR_TEXT(said), LOG_NUMBER("unlogged", unlogged));
}

/* A claim is to be heard of, and defended against, also after a probe that was heard of. */
static void judge_claim(struct announcer *announcer, struct announcement *announcement,
                        const struct mac_address *holder, bool is_probe, uint64_t now)
{
    struct conflict_decision decision =
        conflict_judge(is_probe ? &announcement->wish : &announcement->conflict, holder, now);

    if (decision.must_log)
        log_conflict(&announcement->held, &announcement->address, holder, is_probe, decision.unlogged);
    if (decision.must_defend && !is_probe)
        send_announcement(announcer, announcement);
}

/*
 * Somebody with another MAC than ours says that he has `address`, or asks whether he may take it (`is_probe`; the
 * kernel answers those). `is_answer`: he says it to us alone, who asked; it misleads nobody, and control says it. While
 * we probe for it ourselves, RFC 5227 §2.1.1 counts both alike.
 */
static void handle_claim(struct announcer *announcer, uint32_t index, const struct ip_address *address,
                         const struct mac_address *holder, bool is_probe, bool is_answer)
{
    uint64_t now = clock_monotonic_microseconds();
    struct probe *probe = probes_find(&announcer->probes, index, address);
    struct announcement *announcement = announcements_find(&announcer->announcements, index, address);

    if (announcements_have_mac(&announcer->announcements, holder))
        return;
    if (probe && !mac_address_is_zero(holder) && !mac_address_equal(holder, &probe->target.mac))
        finish_probe(announcer, probe, holder);
    if (!announcement)
        return;
    if (!is_answer)
        judge_claim(announcer, announcement, holder, is_probe, now);
    if (is_probe || !contest_hear(&announcement->contest, holder, now))
        return;
    tell_contest(announcer, announcement);
    take_turn(announcer); /* the timer, for the first question */
}

/* The kernel tells of a link that went down here too, once; there is nothing to do about it. */
static int on_arp(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct received received;
    struct arp_message message;

    (void)source;
    (void)events;
    for (int i = 0; i < FRAMES_PER_TURN && raw_socket_receive_arp(fd, &received) == 0; i++) {
        if (arp_parse(received.bytes, received.length, &message) == 0) {
            bool is_probe = ip_address_is_unspecified(&message.sender);

            if (is_probe && message.is_unicast) /* "are you still there?" (RFC 1122 §2.3.2.1), not "may I?" */
                continue;
            handle_claim(userdata, received.index, is_probe ? &message.target : &message.sender, &message.sender_mac,
                         is_probe, !is_probe && message.is_unicast);
        }
    }
    return 0;
}

/* Of the kernel's own reading of it netadmin sees what it made, but not which router said it. */
static void handle_advertisement(struct announcer *announcer, uint32_t index, struct message_advertised *advertised)
{
    advertised->header = message_header_make(MESSAGE_ADVERTISED, sizeof(*advertised), 0);
    advertised->index = index;
    if (advertisements_note(&announcer->advertisements, advertised, clock_monotonic_microseconds()) &&
        announcer->netadmin)
        (void)channel_send_message(announcer->netadmin, advertised); /* on_netadmin_closed() hears of a failure */
}

static int on_neighbour(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct message_advertised advertised;
    struct neighbour_message message;
    struct received received;
    int result = 0;

    (void)source;
    (void)events;
    for (int i = 0; i < FRAMES_PER_TURN && (result == 0 || result == -EBADMSG); i++) {
        result = raw_socket_receive_neighbour(fd, &received);
        if (result == 0 &&
            router_parse(received.bytes, received.length, received.hop_limit, &received.source, &advertised) == 0)
            handle_advertisement(userdata, received.index, &advertised);
        else if (result == 0 &&
                 neighbour_parse(received.bytes, received.length, received.hop_limit, &received.source, &message) ==
                     0 &&
                 (message.is_probe || !mac_address_is_zero(&message.target_mac)))
            handle_claim(userdata, received.index, &message.target, &message.target_mac, message.is_probe, false);
    }
    return 0;
}

/* --- netadmin -------------------------------------------------------------------------------------------- */

/* What it held stays announced: the kernel still holds it, and a successor will say so (NAT-14). */
static void drop_netadmin(struct announcer *announcer)
{
    announcer->netadmin = channel_free(announcer->netadmin);
    announcer->incoming.is_open = false;
    announcer->probes.count = 0;
}

static void break_off(struct announcer *announcer, const char *reason)
{
    log_error("netadmin broke the protocol, connection ended", LOG_ERROR_TEXT(reason));
    drop_netadmin(announcer);
}

static void handle_commit(struct announcer *announcer, const struct message_commit *message)
{
    if (held_state_commit(&announcer->incoming, message) < 0) {
        break_off(announcer, "COMMIT that fits no BEGIN");
        return;
    }
    announcements_replace(&announcer->announcements, announcer->incoming.items, announcer->incoming.count,
                          clock_monotonic_microseconds());
    log_debug("addresses held", LOG_NUMBER("addresses", announcer->announcements.count));
    update_filters(announcer);
    take_turn(announcer);
}

static void handle_probe(struct announcer *announcer, const struct message_probe *message)
{
    if (probes_add(&announcer->probes, message, clock_monotonic_microseconds()) < 0) {
        log_warn("too many questions at once, ignoring one"); /* netadmin goes on without an answer */
        return;
    }
    update_filters(announcer);
    take_turn(announcer);
}

static void on_netadmin_message(struct channel *channel, const struct message_header *message, int descriptor,
                                void *userdata)
{
    struct announcer *announcer = userdata;

    switch (message->type) { /* none of them may carry a descriptor; the protocol's gate has seen to it */
    case MESSAGE_HELD_BEGIN:
        held_state_begin(&announcer->incoming, message->generation);
        break;
    case MESSAGE_HELD_ITEMS:
        if (held_state_add(&announcer->incoming, (const struct message_held *)message) < 0)
            break_off(announcer, "ITEMS that fit no BEGIN");
        break;
    case MESSAGE_HELD_COMMIT:
        handle_commit(announcer, (const struct message_commit *)message);
        break;
    case MESSAGE_PROBE:
        handle_probe(announcer, (const struct message_probe *)message);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

static void on_netadmin_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    if (error < 0)
        log_error("connection to netadmin ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    else
        log_debug("netadmin has gone");
    drop_netadmin(userdata);
}

static int repeat_advertisements(struct announcer *announcer, const struct link_advertisements *link)
{
    int result = 0;

    for (size_t i = 0; i < link->recent.count && result == 0; i++)
        result = channel_send_message(announcer->netadmin, &link->items[i]);
    return result;
}

static void handle_link(struct announcer *announcer, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks callbacks = {on_netadmin_message, on_netadmin_closed, announcer};
    int result;

    if (message->peer != LINK_PEER_NETADMIN) {
        log_error("LINK to a peer that is not netadmin, ignoring", LOG_NUMBER("peer", message->peer));
        close_fd(&descriptor);
        return;
    }
    drop_netadmin(announcer);
    result =
        channel_new(announcer->event, descriptor, DIRECTION_NETADMIN_TO_ANNOUNCER, &callbacks, &announcer->netadmin);
    if (result < 0)
        log_error("cannot use the link to netadmin", LOG_ERROR(result));
    for (size_t i = 0; i < announcer->advertisements.recent.count && result == 0; i++)
        result = repeat_advertisements(announcer, &announcer->advertisements.links[i]);
    for (size_t i = 0; i < announcer->announcements.count && result == 0; i++) {
        if (!mac_address_is_zero(&announcer->announcements.items[i].contest.holder))
            tell_contest(announcer, &announcer->announcements.items[i]);
    }
}

/* --- the supervisor -------------------------------------------------------------------------------------- */

static void close_raw_socket(struct raw_socket *raw)
{
    raw->source = sd_event_source_disable_unref(raw->source);
    close_fd(&raw->fd);
}

/* The filter stands before the socket receives anything; a flood costs a part of the processor and no more. */
static int open_raw_socket(struct announcer *announcer, struct raw_socket *raw, int (*begin)(int fd),
                           sd_event_io_handler_t handler)
{
    int result;

    update_filters(announcer);
    result = begin(raw->fd);
    if (result == 0)
        result = sd_event_add_io(announcer->event, &raw->source, raw->fd, EPOLLIN, handler, announcer);
    if (result < 0)
        return result;
    return sd_event_source_set_ratelimit(raw->source, TURN_INTERVAL, TURNS_PER_INTERVAL);
}

static void handle_raw_socket(struct announcer *announcer, const struct message_raw_socket *message, int descriptor)
{
    bool is_arp = message->kind == RAW_SOCKET_ARP;
    struct raw_socket *raw = is_arp ? &announcer->arp : &announcer->neighbour;
    int result;

    close_raw_socket(raw);
    raw->fd = descriptor;
    result = open_raw_socket(announcer, raw, is_arp ? raw_socket_open_arp : raw_socket_open_neighbour,
                             is_arp ? on_arp : on_neighbour);
    if (result < 0) {
        log_error("cannot use a raw socket", LOG_TEXT("kind", is_arp ? "ARP" : "ICMPv6"), LOG_ERROR(result));
        (void)sd_event_exit(announcer->event, EXIT_STATUS_CRASH);
        return;
    }
    take_turn(announcer);
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct announcer *announcer = userdata;

    switch (message->type) { /* the protocol's gate lets only the first two carry a descriptor */
    case MESSAGE_LINK:
        handle_link(announcer, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_RAW_SOCKET:
        handle_raw_socket(announcer, (const struct message_raw_socket *)message, descriptor);
        break;
    case MESSAGE_CONFIGURE_ANNOUNCER:
        log_set_level((enum log_level)((const struct message_configure_announcer *)message)->log_level);
        break;
    case MESSAGE_STOP:
        (void)sd_event_exit(announcer->event, EXIT_STATUS_CLEAN); /* there is nothing to tear down */
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct announcer *announcer_free(struct announcer *announcer)
{
    if (!announcer)
        return NULL;
    drop_netadmin(announcer);
    (void)channel_free(announcer->supervisor);
    close_raw_socket(&announcer->arp);
    close_raw_socket(&announcer->neighbour);
    sd_event_source_disable_unref(announcer->timer);
    free(announcer);
    return NULL;
}

int announcer_new(sd_event *event, struct announcer **ret)
{
    CLEANUP(announcer_freep) struct announcer *announcer = calloc(1, sizeof(*announcer));
    int result;

    if (!announcer)
        return -ENOMEM;
    announcer->event = event;
    announcer->arp.fd = announcer->neighbour.fd = -1;
    /* Made now, and off: the sandbox leaves no timerfd_create. The sockets' rate limits share its descriptor. */
    result = event_loop_add_timer(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_timer, announcer, &announcer->timer);
    if (result >= 0)
        result = supervised_join(event, DIRECTION_SUPERVISOR_TO_ANNOUNCER, on_supervisor_message, announcer,
                                 &announcer->supervisor);
    if (result < 0) {
        log_error("cannot join the event loop", LOG_ERROR(result));
        return result;
    }
    *ret = TAKE_POINTER(announcer);
    return 0;
}
