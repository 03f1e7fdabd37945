/*
 * Fuzz target: what the announcer reads from the link (workers/neighbours/arp_packet, neighbour_packet, router_packet).
 * The first byte chooses: 0 an ARP frame, else an ICMPv6 message with that hop limit; its sender is :: when the first
 * byte is odd.
 */
#include "workers/announcer/router_packet.h"
#include "workers/neighbours/arp_packet.h"
#include "workers/neighbours/neighbour_packet.h"

#include "protocol/validate.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>

/* What comes through has a sender that a host can be, and a target that is none of a group. */
static void read_arp(const uint8_t *bytes, size_t length)
{
    struct arp_message message;

    if (arp_parse(bytes, length, &message) == 0 && !mac_address_is_host(&message.sender_mac))
        abort();
}

static void read_neighbour(const uint8_t *bytes, size_t length, uint8_t choice)
{
    struct ip_address source = {.family = IP_FAMILY_6, .bytes = {[15] = (uint8_t)(choice & 1 ? 0 : 1)}};
    struct neighbour_message message;

    if (neighbour_parse(bytes, length, choice, &source, &message) == 0 &&
        (ip_address_is_multicast(&message.target) ||
         !(mac_address_is_zero(&message.target_mac) || mac_address_is_host(&message.target_mac))))
        abort();
}

/* What comes through passes the gate of netadmin, too. */
static void read_router(const uint8_t *bytes, size_t length, uint8_t choice)
{
    struct ip_address source = {.family = IP_FAMILY_6, .bytes = {0xfe, 0x80, [15] = 1}};
    struct message_advertised message;
    const char *reason;

    if (router_parse(bytes, length, choice, &source, &message) < 0)
        return;
    message.header = message_header_make(MESSAGE_ADVERTISED, sizeof(message), 0);
    message.index = 1;
    if (message_validate(DIRECTION_ANNOUNCER_TO_NETADMIN, &message, sizeof(message), 0, &reason) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    /* A copy of its own, so that the sanitizer sees a byte read behind the end. */
    uint8_t *copy = length > 1 ? malloc(length - 1) : NULL;

    if (!copy)
        return 0;
    memcpy(copy, bytes + 1, length - 1);
    if (bytes[0] == 0)
        read_arp(copy, length - 1);
    else
        read_neighbour(copy, length - 1, bytes[0]);
    read_router(copy, length - 1, bytes[0]);
    free(copy);
    return 0;
}
