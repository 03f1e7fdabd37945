/* The inherited raw sockets; see raw_sockets.h. Runs in anchord-announcer, anchord-look and anchord-doctor, without
 * privilege. */
#include "workers/neighbours/raw_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

int raw_socket_filter(int fd, const struct packet_filter *filter)
{
    /* The kernel copies the program and does not write to it (net/core/filter.c). */
    struct sock_fprog program = {.len = filter->length,
                                 .filter = (struct sock_filter *)(uintptr_t)filter->instructions};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

int raw_socket_open_arp(int fd)
{
    const struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_ARP)};

    return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int raw_socket_open_neighbour(int fd)
{
    struct icmp6_filter types;
    int on = 1;

    ICMP6_FILTER_SETBLOCKALL(&types);
    ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &types);
    ICMP6_FILTER_SETPASS(ND_NEIGHBOR_SOLICIT, &types);
    ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &types);
    if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types, sizeof(types)) < 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) < 0)
        return -errno;
    return 0;
}

int raw_socket_receive_arp(int fd, struct received *ret)
{
    struct sockaddr_ll from = {0};
    socklen_t from_length = sizeof(from);
    ssize_t length = recvfrom(fd, ret->bytes, sizeof(ret->bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);

    if (length < 0)
        return -errno;
    ret->length = (size_t)length;
    ret->index = (uint32_t)from.sll_ifindex;
    return 0;
}

int raw_socket_receive_neighbour(int fd, struct received *ret)
{
    struct sockaddr_in6 from = {0};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
    struct iovec part = {.iov_base = ret->bytes, .iov_len = sizeof(ret->bytes)};
    struct msghdr message = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (length < 0)
        return -errno;
    ret->length = (size_t)length;
    ret->index = 0;
    ret->hop_limit = -1;
    ret->source = ip_address_from_bytes(IP_FAMILY_6, &from.sin6_addr);
    for (struct cmsghdr *part_of = CMSG_FIRSTHDR(&message); part_of; part_of = CMSG_NXTHDR(&message, part_of)) {
        if (part_of->cmsg_level != IPPROTO_IPV6)
            continue;
        if (part_of->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo information;

            memcpy(&information, CMSG_DATA(part_of), sizeof(information));
            ret->index = information.ipi6_ifindex;
        } else if (part_of->cmsg_type == IPV6_HOPLIMIT) {
            memcpy(&ret->hop_limit, CMSG_DATA(part_of), sizeof(ret->hop_limit));
        }
    }
    return ret->index && ret->hop_limit >= 0 ? 0 : -EBADMSG;
}

int raw_socket_send(int fd, uint32_t index, const struct ethernet_frame *frame)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)index, .sll_halen = ETH_ALEN};

    memcpy(&to.sll_protocol, frame->bytes + 2 * ETH_ALEN, sizeof(to.sll_protocol));
    memcpy(to.sll_addr, frame->bytes, ETH_ALEN);
    if (sendto(fd, frame->bytes, frame->length, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    return 0;
}
