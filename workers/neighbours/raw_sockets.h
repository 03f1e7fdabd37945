/*
 * Two raw sockets that somebody else opened: prepared, read and written.
 *
 * Used by announcer.c and holder_search.c; needs no privilege, since the capability was asked for when they were
 * opened (facts of packet(7) and raw(7); tests/netns/test_announcer.py). Frames of both families leave by the packet
 * socket, whole; neighbour messages come in by the ICMPv6 socket, which knows the groups that the kernel has joined.
 */
#pragma once

#include "workers/neighbours/ethernet_frame.h"
#include "workers/neighbours/packet_filter.h"

/* What is read of one frame or message; longer ones are cut, and are none of ours. */
#define RECEIVED_SIZE 1500

/* Whence a message came; hop_limit and source of ICMPv6 only. */
struct received {
    uint8_t bytes[RECEIVED_SIZE];
    size_t length;
    uint32_t index; /* of the interface */
    int hop_limit;
    struct ip_address source;
};

/* Attaches `filter` in place of the one before, in one step. Returns 0 or a negative errno. */
int raw_socket_filter(int fd, const struct packet_filter *filter) __attribute__((warn_unused_result));

/* Begins to receive ARP on every interface. Returns 0 or a negative errno. */
int raw_socket_open_arp(int fd) __attribute__((warn_unused_result));

/* Lets advertisements and solicitations of neighbours, and advertisements of routers, through alone, with interface and
 * hop limit. Returns 0 or a negative errno. */
int raw_socket_open_neighbour(int fd) __attribute__((warn_unused_result));

/* Next frame of the packet socket. Returns 0; -EAGAIN when there is none; another negative errno. Never waits. */
int raw_socket_receive_arp(int fd, struct received *ret) __attribute__((warn_unused_result));

/* Next message of the ICMPv6 socket. As above; -EBADMSG for one without interface or hop limit. */
int raw_socket_receive_neighbour(int fd, struct received *ret) __attribute__((warn_unused_result));

/* Sends `frame` on the interface `index` by the packet socket. Returns 0 or a negative errno; never waits. */
int raw_socket_send(int fd, uint32_t index, const struct ethernet_frame *frame) __attribute__((warn_unused_result));
