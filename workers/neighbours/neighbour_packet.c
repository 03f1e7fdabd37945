/* Neighbour discovery built and read; see neighbour_packet.h. Pure; runs where raw_sockets.c does, and in
 * tests. */
#include "workers/neighbours/neighbour_packet.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

#define IPV6_HEADER_LENGTH 40
#define IPV6_VERSION       UINT16_C(0x6000)
#define ICMP6_OFFSET       (ETHER_HDR_LEN + IPV6_HEADER_LENGTH)
#define CHECKSUM_OFFSET    (ICMP6_OFFSET + 2)
#define SOURCE_OFFSET      (ETHER_HDR_LEN + 8) /* source, destination: 32 bytes */
#define MESSAGE_LENGTH     24                  /* of both kinds, without options */
#define LINK_OPTION_LENGTH 8
#define OPTION_LENGTH_UNIT 8U
/* RFC 4861 §4.4: R S O, from the left */
#define FLAG_ROUTER   0x80
#define FLAG_OVERRIDE 0x20

static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

/* RFC 4291 §2.7.1: ff02::1:ff00:0/104 and the last 24 bits of the address. */
static void solicited_node(const struct ip_address *address, uint8_t ret[16])
{
    memcpy(ret, (const uint8_t[16]){0xff, 0x02, [11] = 1, [12] = 0xff}, 16);
    memcpy(ret + 13, address->bytes + 13, 3);
}

/* Ethernet and IPv6; RFC 2464 §7 maps the group to 33:33 and its last four bytes. */
static void begin(const struct mac_address *mac, const uint8_t source[16], const uint8_t group[16],
                  uint16_t payload_length, struct ethernet_frame *ret)
{
    ret->length = 0;
    frame_put(ret, (const uint8_t[]){0x33, 0x33}, 2);
    frame_put(ret, group + 12, 4);
    frame_put(ret, mac->bytes, sizeof(mac->bytes));
    frame_put_16(ret, ETHERTYPE_IPV6);
    frame_put_16(ret, IPV6_VERSION);
    frame_put_zeros(ret, 2); /* flow label */
    frame_put_16(ret, payload_length);
    frame_put(ret, (const uint8_t[]){IPPROTO_ICMPV6, NEIGHBOUR_HOP_LIMIT}, 2);
    frame_put(ret, source, 16);
    frame_put(ret, group, 16);
}

static uint32_t sum_words(const uint8_t *bytes, size_t length, uint32_t sum)
{
    for (size_t i = 0; i < length; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    return sum;
}

/* RFC 4443 §2.3 over the pseudo-header of RFC 8200 §8.1; all our messages have an even length. */
static void put_checksum(struct ethernet_frame *frame)
{
    size_t length = frame->length - ICMP6_OFFSET;
    uint32_t sum = (uint32_t)length + IPPROTO_ICMPV6;

    sum = sum_words(frame->bytes + SOURCE_OFFSET, 32, sum);
    sum = sum_words(frame->bytes + ICMP6_OFFSET, length, sum);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    frame->bytes[CHECKSUM_OFFSET] = (uint8_t)(~sum >> 8);
    frame->bytes[CHECKSUM_OFFSET + 1] = (uint8_t)~sum;
}

/*
 *     Ethernet  33:33:00:00:00:01 <- mac, IPv6
 *     IPv6      address -> ff02::1, hop limit 255
 *     ICMPv6    neighbour advertisement, override (and router), target address, link-layer address mac
 */
void neighbour_build_announcement(const struct mac_address *mac, const struct ip_address *address, bool is_router,
                                  struct ethernet_frame *ret)
{
    uint8_t flags = is_router ? FLAG_ROUTER | FLAG_OVERRIDE : FLAG_OVERRIDE;

    begin(mac, address->bytes, all_nodes, MESSAGE_LENGTH + LINK_OPTION_LENGTH, ret);
    frame_put(ret, (const uint8_t[]){ND_NEIGHBOR_ADVERT, 0, 0, 0, flags, 0, 0, 0}, 8);
    frame_put(ret, address->bytes, 16);
    frame_put(ret, (const uint8_t[]){ND_OPT_TARGET_LINKADDR, LINK_OPTION_LENGTH / OPTION_LENGTH_UNIT}, 2);
    frame_put(ret, mac->bytes, sizeof(mac->bytes));
    put_checksum(ret);
}

/*
 *     Ethernet  33:33:ff:.. <- mac, IPv6
 *     IPv6      :: -> ff02::1:ff..:.., hop limit 255
 *     ICMPv6    neighbour solicitation, target address
 */
void neighbour_build_probe(const struct mac_address *mac, const struct ip_address *address, struct ethernet_frame *ret)
{
    static const uint8_t unspecified[16];
    uint8_t group[16];

    solicited_node(address, group);
    begin(mac, unspecified, group, MESSAGE_LENGTH, ret);
    frame_put(ret, (const uint8_t[]){ND_NEIGHBOR_SOLICIT, 0, 0, 0, 0, 0, 0, 0}, 8);
    frame_put(ret, address->bytes, 16);
    put_checksum(ret);
}

/*
 *     IPv6      source -> ff02::1:ff..:.., hop limit 255
 *     ICMPv6    neighbour solicitation, target address, source's link-layer address mac
 */
void neighbour_build_question(const struct mac_address *mac, const struct ip_address *source,
                              const struct ip_address *address, struct ethernet_frame *ret)
{
    uint8_t group[16];

    solicited_node(address, group);
    begin(mac, source->bytes, group, MESSAGE_LENGTH + LINK_OPTION_LENGTH, ret);
    frame_put(ret, (const uint8_t[]){ND_NEIGHBOR_SOLICIT, 0, 0, 0, 0, 0, 0, 0}, 8);
    frame_put(ret, address->bytes, 16);
    frame_put(ret, (const uint8_t[]){ND_OPT_SOURCE_LINKADDR, LINK_OPTION_LENGTH / OPTION_LENGTH_UNIT}, 2);
    frame_put(ret, mac->bytes, sizeof(mac->bytes));
    put_checksum(ret);
}

/*
 * Walks the options; false when one is broken (RFC 4861 §7.1: then the whole message is ignored). A link-layer
 * address that no host can have counts as not said.
 */
static bool read_options(const uint8_t *options, size_t length, struct mac_address *ret_mac)
{
    while (length > 0) {
        size_t option_length = length >= 2 ? options[1] * (size_t)OPTION_LENGTH_UNIT : 0;
        struct mac_address mac;

        if (option_length == 0 || option_length > length)
            return false;
        if (options[0] == ND_OPT_TARGET_LINKADDR && option_length == LINK_OPTION_LENGTH) {
            memcpy(mac.bytes, options + 2, sizeof(mac.bytes));
            if (mac_address_is_host(&mac))
                *ret_mac = mac;
        }
        options += option_length;
        length -= option_length;
    }
    return true;
}

int neighbour_parse(const void *message, size_t length, int hop_limit, const struct ip_address *source,
                    struct neighbour_message *ret)
{
    const uint8_t *bytes = message;
    struct neighbour_message parsed = {0};

    if (length < MESSAGE_LENGTH || hop_limit != NEIGHBOUR_HOP_LIMIT || bytes[1] != 0)
        return -EBADMSG;
    parsed.is_probe = bytes[0] == ND_NEIGHBOR_SOLICIT;
    if (!parsed.is_probe && bytes[0] != ND_NEIGHBOR_ADVERT)
        return -EBADMSG;
    if (parsed.is_probe && !ip_address_is_unspecified(source))
        return -EBADMSG; /* an ordinary question for us, which the kernel answers */
    parsed.target = ip_address_from_bytes(IP_FAMILY_6, bytes + NEIGHBOUR_TARGET_OFFSET);
    if (ip_address_is_multicast(&parsed.target) ||
        !read_options(bytes + MESSAGE_LENGTH, length - MESSAGE_LENGTH, &parsed.target_mac))
        return -EBADMSG;
    *ret = parsed;
    return 0;
}
