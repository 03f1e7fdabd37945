/* The packet filters; see packet_filter.h. Pure; runs in anchord-announcer, anchord-look and their tests. */
#include "workers/neighbours/packet_filter.h"

#include "workers/neighbours/arp_packet.h"
#include "workers/neighbours/neighbour_packet.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>

#define WORDS_OF_IPV6 4

static void add(struct packet_filter *filter, struct sock_filter instruction)
{
    filter->instructions[filter->length++] = instruction;
}

static void add_load(struct packet_filter *filter, unsigned short size, uint32_t offset)
{
    add(filter, (struct sock_filter)BPF_STMT((unsigned short)(BPF_LD | BPF_ABS | size), offset));
}

/* Skips `skipped` instructions unless the loaded value equals `value`. */
static void add_unless_equal_skip(struct packet_filter *filter, uint32_t value, uint8_t skipped)
{
    add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped));
}

static void add_drop_unless_equal(struct packet_filter *filter, uint32_t value)
{
    add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
}

static void add_accept(struct packet_filter *filter)
{
    add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX));
}

static uint32_t word_of(const struct ip_address *address, size_t word)
{
    uint32_t value;

    memcpy(&value, address->bytes + word * sizeof(value), sizeof(value));
    return ntohl(value);
}

/*
 *     ARP, IPv4 over Ethernet?                 else drop
 *     A = sender; if 0.0.0.0: A = target
 *     A == an address of ours?                 accept
 *     drop
 */
void packet_filter_make_arp(const struct ip_address *addresses, size_t count, struct packet_filter *ret)
{
    ret->length = 0;
    add_load(ret, BPF_W, ARP_OFFSET_HARDWARE_TYPE);
    add_drop_unless_equal(ret, ARP_ETHERNET_AND_IPV4);
    add_load(ret, BPF_H, ARP_OFFSET_LENGTHS);
    add_drop_unless_equal(ret, ARP_LENGTHS);
    add_load(ret, BPF_W, ARP_OFFSET_SENDER);
    add_unless_equal_skip(ret, INADDR_ANY, 1);
    add_load(ret, BPF_W, ARP_OFFSET_TARGET);
    for (size_t i = 0; i < count && i < PACKET_FILTER_ADDRESSES_MAX; i++) {
        if (addresses[i].family != IP_FAMILY_4)
            continue;
        add_unless_equal_skip(ret, word_of(&addresses[i], 0), 1);
        add_accept(ret);
    }
    add(ret, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
}

/*
 *     a router advertisement?                  accept
 * Per address, with the four words of the target:
 *     A = word; A == that of the address?      else on to the next address
 *     all equal                                accept
 */
void packet_filter_make_neighbour(const struct ip_address *addresses, size_t count, struct packet_filter *ret)
{
    ret->length = 0;
    add_load(ret, BPF_B, 0);
    add_unless_equal_skip(ret, ND_ROUTER_ADVERT, 1);
    add_accept(ret);
    for (size_t i = 0; i < count && i < PACKET_FILTER_ADDRESSES_MAX; i++) {
        if (addresses[i].family != IP_FAMILY_6)
            continue;
        for (size_t word = 0; word < WORDS_OF_IPV6; word++) {
            uint8_t rest = (uint8_t)(2 * (WORDS_OF_IPV6 - 1 - word) + 1);

            add_load(ret, BPF_W, (uint32_t)(NEIGHBOUR_TARGET_OFFSET + word * sizeof(uint32_t)));
            add_unless_equal_skip(ret, word_of(&addresses[i], word), rest);
        }
        add_accept(ret);
    }
    add(ret, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
}
