/*
 * ARP for IPv4 over Ethernet (RFC 826): the announcement and the probe of RFC 5227, and what others say.
 *
 * Pure functions without privilege, used by announcer.c, holder_search.c, the unit tests and a fuzz target. What is
 * parsed comes from anybody on the link.
 */
#pragma once

#include "workers/neighbours/ethernet_frame.h"

/* Where the fields stand in a frame that begins with its Ethernet header; packet_filter.c looks there too. */
enum arp_offset {
    ARP_OFFSET_HARDWARE_TYPE = 14, /* 2 bytes, then the protocol type */
    ARP_OFFSET_LENGTHS = 18,       /* of the two kinds of address, 1 byte each */
    ARP_OFFSET_OPERATION = 20,
    ARP_OFFSET_SENDER_MAC = 22,
    ARP_OFFSET_SENDER = 28,
    ARP_OFFSET_TARGET = 38,
    ARP_FRAME_LENGTH = 42,
};

#define ARP_ETHERNET_AND_IPV4 UINT32_C(0x00010800) /* hardware type 1, protocol type 0x0800 */
#define ARP_LENGTHS           UINT16_C(0x0604)

struct arp_message {
    struct mac_address sender_mac;
    struct ip_address sender; /* 0.0.0.0: the sender probes for `target` */
    struct ip_address target;
    bool is_unicast; /* the frame was sent to one host */
};

/* "I have `address`": a broadcast request for it with itself as sender (RFC 5227 §2.3). */
void arp_build_announcement(const struct mac_address *mac, const struct ip_address *address,
                            struct ethernet_frame *ret);

/* "Who has `address`?" without naming one of our own, so that no neighbour learns anything (RFC 5227 §2.1.1). */
void arp_build_probe(const struct mac_address *mac, const struct ip_address *address, struct ethernet_frame *ret);

/*
 * Reads a received frame of `length` bytes, Ethernet header included; padding behind the message is fine.
 * Returns 0, or -EBADMSG with *ret untouched: no request or reply for IPv4 over Ethernet, cut short, or from a
 * sender that no host can be (MAC zero or multicast).
 */
int arp_parse(const void *frame, size_t length, struct arp_message *ret) __attribute__((warn_unused_result));
