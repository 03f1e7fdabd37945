/* Asks who has an address; see holder_search.h. Reads foreign bytes; needs no privilege once its sockets are open. */
#include "workers/neighbours/holder_search.h"

#include "common/clock.h"
#include "workers/neighbours/arp_packet.h"
#include "workers/neighbours/neighbour_packet.h"
#include "workers/neighbours/raw_sockets.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define QUESTIONS 3 /* PROBE_NUM of RFC 5227 §1.1 */
/* Less than that says, whose hosts may just have been plugged in: here a person waits. The project's own announcer asks
 * again before it takes the address. */
#define QUESTION_INTERVAL    (UINT64_C(250) * MICROSECONDS_PER_MILLISECOND)
#define LAST_ANSWER_INTERVAL (UINT64_C(500) * MICROSECONDS_PER_MILLISECOND)

void holder_search_close(struct holder_search *search)
{
    close_fd(&search->arp);
    close_fd(&search->icmp6);
}

int holder_search_open(struct holder_search *search)
{
    search->icmp6 = -1;
    search->arp = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (search->arp < 0)
        return -errno;
    search->icmp6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
    return search->icmp6 < 0 && errno != EAFNOSUPPORT ? -errno : 0;
}

/* Which packets come, before any does. */
int holder_search_begin(struct holder_search *search)
{
    struct packet_filter filter;
    int result;

    packet_filter_make_arp(search->addresses, search->count, &filter);
    result = raw_socket_filter(search->arp, &filter);
    if (result == 0)
        result = raw_socket_open_arp(search->arp);
    if (result < 0 || search->icmp6 < 0)
        return result;
    packet_filter_make_neighbour(search->addresses, search->count, &filter);
    result = raw_socket_filter(search->icmp6, &filter);
    return result < 0 ? result : raw_socket_open_neighbour(search->icmp6);
}

static void note_holder(struct holder_search *search, const struct ip_address *address, const struct mac_address *mac)
{
    for (size_t i = 0; i < search->count; i++) {
        if (search->is_held[i] || !ip_address_equal(&search->addresses[i], address))
            continue;
        search->is_held[i] = true;
        search->holders[i] = *mac;
        return;
    }
}

/* Who probes for one is about to have it (RFC 5227 §2.1.1). */
static int read_arp(struct holder_search *search)
{
    struct received received;
    struct arp_message message;
    int result = raw_socket_receive_arp(search->arp, &received);

    if (result < 0 || received.index != search->index || arp_parse(received.bytes, received.length, &message) < 0 ||
        mac_address_equal(&message.sender_mac, &search->mac))
        return result;
    note_holder(search, ip_address_is_unspecified(&message.sender) ? &message.target : &message.sender,
                &message.sender_mac);
    return 0;
}

static int read_neighbour(struct holder_search *search)
{
    struct received received;
    struct neighbour_message message;
    int result = raw_socket_receive_neighbour(search->icmp6, &received);

    if (result < 0 || received.index != search->index ||
        neighbour_parse(received.bytes, received.length, received.hop_limit, &received.source, &message) < 0 ||
        mac_address_equal(&message.target_mac, &search->mac))
        return result;
    note_holder(search, &message.target, &message.target_mac);
    return 0;
}

static int drain(struct holder_search *search, int (*read_one)(struct holder_search *))
{
    int result;

    do
        result = read_one(search);
    while (result == 0 || result == -EBADMSG);
    return result == -EAGAIN ? 0 : result;
}

static int listen_until(struct holder_search *search, uint64_t deadline)
{
    for (uint64_t now = clock_monotonic_microseconds(); now < deadline; now = clock_monotonic_microseconds()) {
        struct pollfd sockets[] = {{search->arp, POLLIN, 0}, {search->icmp6, POLLIN, 0}};
        int result = 0;

        if (poll(sockets, ARRAY_LENGTH(sockets), (int)((deadline - now) / MICROSECONDS_PER_MILLISECOND) + 1) < 0)
            return -errno;
        if (sockets[0].revents)
            result = drain(search, read_arp);
        if (result == 0 && sockets[1].revents)
            result = drain(search, read_neighbour);
        if (result < 0)
            return result;
    }
    return 0;
}

static int ask(const struct holder_search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        struct ethernet_frame frame;
        int result;

        if (search->is_held[i])
            continue;
        if (search->addresses[i].family == IP_FAMILY_4) {
            arp_build_probe(&search->mac, &search->addresses[i], &frame);
            if (search->sender.family == IP_FAMILY_4)
                memcpy(frame.bytes + ARP_OFFSET_SENDER, search->sender.bytes, 4);
        } else if (search->sender6.family == IP_FAMILY_6) {
            neighbour_build_question(&search->mac, &search->sender6, &search->addresses[i], &frame);
        } else {
            neighbour_build_probe(&search->mac, &search->addresses[i], &frame);
        }
        result = raw_socket_send(search->arp, search->index, &frame);
        if (result < 0)
            return result;
    }
    return 0;
}

int holder_search_run(struct holder_search *search)
{
    int result = 0;

    for (unsigned int i = 1; i <= QUESTIONS && result == 0; i++) {
        uint64_t now = clock_monotonic_microseconds();

        result = ask(search);
        if (result == 0)
            result = listen_until(search, now + (i == QUESTIONS ? LAST_ANSWER_INTERVAL : QUESTION_INTERVAL));
    }
    return result;
}
