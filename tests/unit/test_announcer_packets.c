/* Unit tests of the announcer's frames: what it builds, byte for byte, and what it makes of others' (ADDR-12, ADDR-13).
 */
#include "workers/neighbours/arp_packet.h"
#include "workers/neighbours/neighbour_packet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct mac_address mac = {{0x02, 0, 0, 0, 0, 1}};
static const struct ip_address address4 = {.family = IP_FAMILY_4, .bytes = {10, 99, 0, 50}};
static const struct ip_address address6 = {.family = IP_FAMILY_6, .bytes = {0xfd, 0x99, [13] = 0x12, 0x34, 0x56}};
static const struct ip_address unspecified6 = {.family = IP_FAMILY_6};

/* From RFC 826's layout; 10.99.0.50 is at 02:00:00:00:00:01. */
static const uint8_t arp_announcement[ARP_FRAME_LENGTH] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0,  0, 0,  0, 1, 0x08, 0x06, /* Ethernet */
    0,    1,    0x08, 0,    6,    4,    0,    1,                           /* IPv4 request */
    0x02, 0,    0,    0,    0,    1,    10,   99, 0, 50, 0, 0, 0,    0,    0, 0, 10, 99, 0, 50,
};

static void arp_announcement_is_as_rfc_5227_has_it(void **state)
{
    struct ethernet_frame frame;

    (void)state;
    arp_build_announcement(&mac, &address4, &frame);
    assert_int_equal(frame.length, sizeof(arp_announcement));
    assert_memory_equal(frame.bytes, arp_announcement, sizeof(arp_announcement));
}

static void arp_probe_names_no_sender(void **state)
{
    struct ethernet_frame frame;
    uint8_t expected[ARP_FRAME_LENGTH];

    (void)state;
    memcpy(expected, arp_announcement, sizeof(expected));
    memset(expected + ARP_OFFSET_SENDER, 0, 4);
    arp_build_probe(&mac, &address4, &frame);
    assert_int_equal(frame.length, sizeof(expected));
    assert_memory_equal(frame.bytes, expected, sizeof(expected));
}

static void arp_of_others_is_read(void **state)
{
    uint8_t padded[60] = {0};
    struct arp_message message;

    (void)state;
    memcpy(padded, arp_announcement, sizeof(arp_announcement));
    padded[ARP_OFFSET_OPERATION + 1] = 2;
    padded[ARP_OFFSET_TARGET + 3] = 51;
    assert_int_equal(arp_parse(padded, sizeof(padded), &message), 0);
    assert_true(mac_address_equal(&message.sender_mac, &mac));
    assert_true(ip_address_equal(&message.sender, &address4));
    assert_int_equal(message.target.bytes[3], 51);
}

static void broken_arp_is_refused(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } changes[] = {
        {ARP_OFFSET_HARDWARE_TYPE + 1, 6}, {ARP_OFFSET_HARDWARE_TYPE + 2, 0x86},
        {ARP_OFFSET_LENGTHS, 8},           {ARP_OFFSET_LENGTHS + 1, 16},
        {ARP_OFFSET_OPERATION, 1},         {ARP_OFFSET_OPERATION + 1, 0},
        {ARP_OFFSET_OPERATION + 1, 3},     {ARP_OFFSET_SENDER_MAC, 0x03},
    };
    uint8_t frame[ARP_FRAME_LENGTH];
    struct arp_message message;

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        memcpy(frame, arp_announcement, sizeof(frame));
        frame[changes[i].offset] = changes[i].value;
        assert_int_equal(arp_parse(frame, sizeof(frame), &message), -EBADMSG);
    }
    memcpy(frame, arp_announcement, sizeof(frame));
    memset(frame + ARP_OFFSET_SENDER_MAC, 0, 6);
    assert_int_equal(arp_parse(frame, sizeof(frame), &message), -EBADMSG);
    for (size_t length = 0; length < sizeof(arp_announcement); length++)
        assert_int_equal(arp_parse(arp_announcement, length, &message), -EBADMSG);
}

/* RFC 1071: a message with its checksum in place sums up to all ones. */
static uint32_t checksum_of(const struct ethernet_frame *frame)
{
    uint32_t sum = (uint32_t)(frame->length - 54) + 58;

    for (size_t i = 22; i < frame->length; i += 2)
        sum += (uint32_t)(frame->bytes[i] << 8 | frame->bytes[i + 1]);
    return (sum & 0xffff) + (sum >> 16);
}

static void advertisement_overrides_and_goes_to_all_nodes(void **state)
{
    static const uint8_t head[] = {0x33, 0x33, 0,    0,    0, 1, 0x02, 0, 0,  0,  0,
                                   1,    0x86, 0xdd, 0x60, 0, 0, 0,    0, 32, 58, 255};
    static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
    static const uint8_t option[] = {2, 1, 0x02, 0, 0, 0, 0, 1};
    struct ethernet_frame frame;

    (void)state;
    neighbour_build_announcement(&mac, &address6, true, &frame);
    assert_int_equal(frame.length, 86);
    assert_memory_equal(frame.bytes, head, sizeof(head));
    assert_memory_equal(frame.bytes + 22, address6.bytes, 16);
    assert_memory_equal(frame.bytes + 38, all_nodes, 16);
    assert_memory_equal(frame.bytes + 54, ((uint8_t[]){136, 0}), 2);
    assert_memory_equal(frame.bytes + 58, ((uint8_t[]){0xa0, 0, 0, 0}), 4);
    assert_memory_equal(frame.bytes + 62, address6.bytes, 16);
    assert_memory_equal(frame.bytes + 78, option, sizeof(option));
    assert_int_equal(checksum_of(&frame), 0xffff);
}

static void probe_is_duplicate_address_detection(void **state)
{
    static const uint8_t head[] = {0x33, 0x33, 0xff, 0x12, 0x34, 0x56, 0x02, 0, 0,  0,  0,
                                   1,    0x86, 0xdd, 0x60, 0,    0,    0,    0, 24, 58, 255};
    static const uint8_t group[16] = {0xff, 0x02, [11] = 1, 0xff, 0x12, 0x34, 0x56};
    struct ethernet_frame frame;

    (void)state;
    neighbour_build_probe(&mac, &address6, &frame);
    assert_int_equal(frame.length, 78);
    assert_memory_equal(frame.bytes, head, sizeof(head));
    assert_memory_equal(frame.bytes + 22, unspecified6.bytes, 16);
    assert_memory_equal(frame.bytes + 38, group, 16);
    assert_memory_equal(frame.bytes + 54, ((uint8_t[]){135, 0}), 2);
    assert_memory_equal(frame.bytes + 62, address6.bytes, 16);
    assert_int_equal(checksum_of(&frame), 0xffff);
}

/* RFC 4861 §7.2.2: from an address of its own, with the MAC address that the answer goes to. */
static void a_question_is_a_neighbours(void **state)
{
    static const struct ip_address source = {IP_FAMILY_6, {0xfe, 0x80, [15] = 7}};
    struct ethernet_frame frame;

    (void)state;
    neighbour_build_question(&mac, &source, &address6, &frame);
    assert_int_equal(frame.length, 86);
    assert_memory_equal(frame.bytes + 18, ((uint8_t[]){0, 32, 58, 255}), 4);
    assert_memory_equal(frame.bytes + 22, source.bytes, 16);
    assert_memory_equal(frame.bytes + 54, ((uint8_t[]){135, 0}), 2);
    assert_memory_equal(frame.bytes + 62, address6.bytes, 16);
    assert_memory_equal(frame.bytes + 78, ((uint8_t[]){1, 1}), 2);
    assert_memory_equal(frame.bytes + 80, mac.bytes, sizeof(mac.bytes));
    assert_int_equal(checksum_of(&frame), 0xffff);
}

static void own_messages_are_read_back(void **state)
{
    struct ethernet_frame frame;
    struct neighbour_message message;

    (void)state;
    neighbour_build_announcement(&mac, &address6, true, &frame);
    assert_int_equal(neighbour_parse(frame.bytes + 54, frame.length - 54, 255, &address6, &message), 0);
    assert_false(message.is_probe);
    assert_true(ip_address_equal(&message.target, &address6));
    assert_true(mac_address_equal(&message.target_mac, &mac));
    neighbour_build_probe(&mac, &address6, &frame);
    assert_int_equal(neighbour_parse(frame.bytes + 54, frame.length - 54, 255, &unspecified6, &message), 0);
    assert_true(message.is_probe);
    assert_true(ip_address_equal(&message.target, &address6));
    assert_true(mac_address_is_zero(&message.target_mac));
    /* The same question from somebody with an address is an ordinary one. */
    assert_int_equal(neighbour_parse(frame.bytes + 54, frame.length - 54, 255, &address6, &message), -EBADMSG);
}

static void broken_neighbour_messages_are_refused(void **state)
{
    struct ethernet_frame good;
    struct neighbour_message message;
    uint8_t icmp[32];

    (void)state;
    neighbour_build_announcement(&mac, &address6, true, &good);
    memcpy(icmp, good.bytes + 54, sizeof(icmp));
    assert_int_equal(neighbour_parse(icmp, 32, 254, &address6, &message), -EBADMSG);
    for (size_t length = 0; length < 32; length++) {
        if (length != 24) /* without its option it is whole */
            assert_int_equal(neighbour_parse(icmp, length, 255, &address6, &message), -EBADMSG);
    }
    icmp[0] = 134;
    assert_int_equal(neighbour_parse(icmp, 32, 255, &address6, &message), -EBADMSG);
    memcpy(icmp, good.bytes + 54, sizeof(icmp));
    icmp[1] = 1;
    assert_int_equal(neighbour_parse(icmp, 32, 255, &address6, &message), -EBADMSG);
    memcpy(icmp, good.bytes + 54, sizeof(icmp));
    icmp[NEIGHBOUR_TARGET_OFFSET] = 0xff;
    assert_int_equal(neighbour_parse(icmp, 32, 255, &address6, &message), -EBADMSG);
    memcpy(icmp, good.bytes + 54, sizeof(icmp));
    icmp[25] = 0;
    assert_int_equal(neighbour_parse(icmp, 32, 255, &address6, &message), -EBADMSG);
    icmp[25] = 2;
    assert_int_equal(neighbour_parse(icmp, 32, 255, &address6, &message), -EBADMSG);
}

static void address_that_no_host_can_have_counts_as_not_said(void **state)
{
    struct ethernet_frame frame;
    struct neighbour_message message;

    (void)state;
    neighbour_build_announcement(&mac, &address6, true, &frame);
    frame.bytes[54 + 26] = 0x03;
    assert_int_equal(neighbour_parse(frame.bytes + 54, 32, 255, &address6, &message), 0);
    assert_true(mac_address_is_zero(&message.target_mac));
    assert_int_equal(neighbour_parse(frame.bytes + 54, 24, 255, &address6, &message), 0);
    assert_true(mac_address_is_zero(&message.target_mac));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arp_announcement_is_as_rfc_5227_has_it),
        cmocka_unit_test(arp_probe_names_no_sender),
        cmocka_unit_test(arp_of_others_is_read),
        cmocka_unit_test(broken_arp_is_refused),
        cmocka_unit_test(advertisement_overrides_and_goes_to_all_nodes),
        cmocka_unit_test(probe_is_duplicate_address_detection),
        cmocka_unit_test(a_question_is_a_neighbours),
        cmocka_unit_test(own_messages_are_read_back),
        cmocka_unit_test(broken_neighbour_messages_are_refused),
        cmocka_unit_test(address_that_no_host_can_have_counts_as_not_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
