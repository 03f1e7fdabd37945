/* Looks at the LAN; see look_lan.h. Opens two raw sockets, then runs without any privilege. */
#include "workers/commands/look/look_lan.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "workers/commands/look/look_report.h"
#include "workers/neighbours/arp_packet.h"
#include "workers/neighbours/neighbour_packet.h"
#include "workers/neighbours/raw_sockets.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ADDRESSES_MAX 2 /* one of each family */
#define QUESTIONS     3 /* PROBE_NUM of RFC 5227 §1.1 */
/* Less than that says, whose hosts may just have been plugged in: here a person waits. The project's own announcer asks
 * again before it takes the address. */
#define QUESTION_INTERVAL    (UINT64_C(250) * MICROSECONDS_PER_MILLISECOND)
#define LAST_ANSWER_INTERVAL (UINT64_C(500) * MICROSECONDS_PER_MILLISECOND)
#define OPEN_FILES_MAX       8

struct lan {
    int arp;
    int icmp6;
    uint32_t index;
    struct mac_address mac; /* the parent's own */
    struct ip_address addresses[ADDRESSES_MAX];
    bool is_held[ADDRESSES_MAX];
    size_t count;
};

static void close_lan(struct lan *lan)
{
    close_fd(&lan->arp);
    close_fd(&lan->icmp6);
}

static int find_parent(struct lan *lan, const char *parent)
{
    CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};

    if (fd < 0 || text_copy(request.ifr_name, sizeof(request.ifr_name), parent) < 0 ||
        ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        return -errno;
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return -EMEDIUMTYPE;
    memcpy(lan->mac.bytes, request.ifr_hwaddr.sa_data, sizeof(lan->mac.bytes));
    lan->index = if_nametoindex(parent);
    return lan->index == 0 ? -errno : 0;
}

/* Which packets come, before any does. */
static int open_sockets(struct lan *lan)
{
    struct packet_filter filter;
    int result;

    lan->arp = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (lan->arp < 0)
        return -errno;
    packet_filter_make_arp(lan->addresses, lan->count, &filter);
    result = raw_socket_filter(lan->arp, &filter);
    if (result == 0)
        result = raw_socket_open_arp(lan->arp);
    if (result < 0)
        return result;
    lan->icmp6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
    if (lan->icmp6 < 0)
        return errno == EAFNOSUPPORT ? 0 : -errno;
    packet_filter_make_neighbour(lan->addresses, lan->count, &filter);
    result = raw_socket_filter(lan->icmp6, &filter);
    return result < 0 ? result : raw_socket_open_neighbour(lan->icmp6);
}

static int report_holder(struct lan *lan, const struct ip_address *address, const struct mac_address *mac)
{
    struct look_record record = {.kind = LOOK_HOLDER, .mac = *mac};

    for (size_t i = 0; i < lan->count; i++) {
        if (lan->is_held[i] || !ip_address_equal(&lan->addresses[i], address))
            continue;
        lan->is_held[i] = true;
        if (address->family == IP_FAMILY_4)
            record.address4 = wire_address_from(address);
        else
            record.address6 = wire_address_from(address);
        return look_report(&record);
    }
    return 0;
}

/* Who probes for one is about to have it (RFC 5227 §2.1.1). */
static int read_arp(struct lan *lan)
{
    struct received received;
    struct arp_message message;
    int result = raw_socket_receive_arp(lan->arp, &received);

    if (result < 0 || received.index != lan->index || arp_parse(received.bytes, received.length, &message) < 0 ||
        mac_address_equal(&message.sender_mac, &lan->mac))
        return result;
    return report_holder(lan, ip_address_is_unspecified(&message.sender) ? &message.target : &message.sender,
                         &message.sender_mac);
}

static int read_neighbour(struct lan *lan)
{
    struct received received;
    struct neighbour_message message;
    int result = raw_socket_receive_neighbour(lan->icmp6, &received);

    if (result < 0 || received.index != lan->index ||
        neighbour_parse(received.bytes, received.length, received.hop_limit, &received.source, &message) < 0)
        return result;
    return report_holder(lan, &message.target, &message.target_mac);
}

static int drain(struct lan *lan, int (*read_one)(struct lan *))
{
    int result;

    do
        result = read_one(lan);
    while (result == 0 || result == -EBADMSG);
    return result == -EAGAIN ? 0 : result;
}

static int listen_until(struct lan *lan, uint64_t deadline)
{
    for (uint64_t now = clock_monotonic_microseconds(); now < deadline; now = clock_monotonic_microseconds()) {
        struct pollfd sockets[] = {{lan->arp, POLLIN, 0}, {lan->icmp6, POLLIN, 0}};
        int result = 0;

        if (poll(sockets, ARRAY_LENGTH(sockets), (int)((deadline - now) / MICROSECONDS_PER_MILLISECOND) + 1) < 0)
            return -errno;
        if (sockets[0].revents)
            result = drain(lan, read_arp);
        if (result == 0 && sockets[1].revents)
            result = drain(lan, read_neighbour);
        if (result < 0)
            return result;
    }
    return 0;
}

static int ask(const struct lan *lan)
{
    for (size_t i = 0; i < lan->count; i++) {
        struct ethernet_frame frame;
        int result;

        if (lan->is_held[i])
            continue;
        if (lan->addresses[i].family == IP_FAMILY_4)
            arp_build_probe(&lan->mac, &lan->addresses[i], &frame);
        else
            neighbour_build_probe(&lan->mac, &lan->addresses[i], &frame);
        result = raw_socket_send(lan->arp, lan->index, &frame);
        if (result < 0)
            return result;
    }
    return 0;
}

static int ask_all(struct lan *lan)
{
    int result = 0;

    for (unsigned int i = 1; i <= QUESTIONS && result == 0; i++) {
        uint64_t now = clock_monotonic_microseconds();

        result = ask(lan);
        if (result == 0)
            result = listen_until(lan, now + (i == QUESTIONS ? LAST_ANSWER_INTERVAL : QUESTION_INTERVAL));
    }
    return result;
}

int look_lan(const char *parent, char *const *addresses, size_t count)
{
    static const struct sandbox_profile profile = {.open_files = OPEN_FILES_MAX};
    CLEANUP(close_lan) struct lan lan = {.arp = -1, .icmp6 = -1};
    const char *step = "the arguments";
    int result = count > ADDRESSES_MAX ? -E2BIG : 0;

    for (; lan.count < count && result == 0; lan.count++)
        result = ip_address_parse(addresses[lan.count], &lan.addresses[lan.count]);
    if (result == 0) {
        step = parent;
        result = find_parent(&lan, parent);
    }
    if (result == 0) {
        step = "the raw sockets";
        result = open_sockets(&lan);
    }
    if (result == 0)
        result = sandbox_drop_privileges(&step);
    if (result == 0)
        result = sandbox_seal(&profile, &step);
    if (result == 0) {
        step = parent;
        result = ask_all(&lan);
    }
    return look_report_end(result, result < 0 ? step : "");
}
