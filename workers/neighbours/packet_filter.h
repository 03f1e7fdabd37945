/*
 * Which received packets wake the announcer: programs of the classic packet filter (BPF) for its two sockets.
 *
 * Pure, used by announcer.c, holder_search.c and the tests. On a busy or hostile link the kernel drops everything
 * that is not about one of the given addresses before anybody wakes; what passes is still checked in full (arp_parse,
 * neighbour_parse).
 */
#pragma once

#include "common/address.h"

#include <linux/filter.h>
#include <stddef.h>

/* ARP: a preamble of at most 9 and 2 per address; ICMPv6: 9 per address; 1 at the end. BPF_MAXINSNS is 4096. */
#define PACKET_FILTER_ADDRESSES_MAX 300
#define PACKET_FILTER_SIZE          (PACKET_FILTER_ADDRESSES_MAX * 9 + 10)

struct packet_filter {
    struct sock_filter instructions[PACKET_FILTER_SIZE];
    unsigned short length;
};

/*
 * For a packet socket: ARP for IPv4 over Ethernet whose sender is one of the IPv4 addresses among `addresses`, or
 * who probes for one. Others are left out; more than PACKET_FILTER_ADDRESSES_MAX are too.
 */
void packet_filter_make_arp(const struct ip_address *addresses, size_t count, struct packet_filter *ret);

/* For a raw ICMPv6 socket with ICMP6_FILTER: router advertisements, and neighbour messages whose target is one of the
 * IPv6 addresses. */
void packet_filter_make_neighbour(const struct ip_address *addresses, size_t count, struct packet_filter *ret);
