/* ARP frames built and read; see arp_packet.h. Pure; runs where raw_sockets.c does, and in tests. */
#include "workers/neighbours/arp_packet.h"

#include <errno.h>
#include <net/ethernet.h>
#include <net/if_arp.h>

static const uint8_t broadcast[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/*
 *     Ethernet  ff:ff:ff:ff:ff:ff <- mac, ARP
 *     ARP       who-has target tell sender, from mac, to 00:00:00:00:00:00
 */
static void build_request(const struct mac_address *mac, const uint8_t *sender, const uint8_t *target,
                          struct ethernet_frame *ret)
{
    ret->length = 0;
    frame_put(ret, broadcast, sizeof(broadcast));
    frame_put(ret, mac->bytes, sizeof(mac->bytes));
    frame_put_16(ret, ETHERTYPE_ARP);
    frame_put_16(ret, ARPHRD_ETHER);
    frame_put_16(ret, ETHERTYPE_IP);
    frame_put_16(ret, ARP_LENGTHS);
    frame_put_16(ret, ARPOP_REQUEST);
    frame_put(ret, mac->bytes, sizeof(mac->bytes));
    frame_put(ret, sender, 4);
    frame_put_zeros(ret, ETH_ALEN);
    frame_put(ret, target, 4);
}

void arp_build_announcement(const struct mac_address *mac, const struct ip_address *address, struct ethernet_frame *ret)
{
    build_request(mac, address->bytes, address->bytes, ret);
}

void arp_build_probe(const struct mac_address *mac, const struct ip_address *address, struct ethernet_frame *ret)
{
    static const uint8_t unspecified[4];

    build_request(mac, unspecified, address->bytes, ret);
}

static uint16_t read_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

int arp_parse(const void *frame, size_t length, struct arp_message *ret)
{
    const uint8_t *bytes = frame;
    struct arp_message message = {.is_unicast = length > 0 && !(bytes[0] & 1)}; /* IEEE 802 §8.2: the group bit */
    uint16_t operation;

    if (length < ARP_FRAME_LENGTH || read_16(bytes + ARP_OFFSET_HARDWARE_TYPE) != ARPHRD_ETHER ||
        read_16(bytes + ARP_OFFSET_HARDWARE_TYPE + 2) != ETHERTYPE_IP ||
        read_16(bytes + ARP_OFFSET_LENGTHS) != ARP_LENGTHS)
        return -EBADMSG;
    operation = read_16(bytes + ARP_OFFSET_OPERATION);
    if (operation != ARPOP_REQUEST && operation != ARPOP_REPLY)
        return -EBADMSG;
    memcpy(message.sender_mac.bytes, bytes + ARP_OFFSET_SENDER_MAC, sizeof(message.sender_mac.bytes));
    if (!mac_address_is_host(&message.sender_mac))
        return -EBADMSG;
    message.sender = ip_address_from_bytes(IP_FAMILY_4, bytes + ARP_OFFSET_SENDER);
    message.target = ip_address_from_bytes(IP_FAMILY_4, bytes + ARP_OFFSET_TARGET);
    *ret = message;
    return 0;
}
