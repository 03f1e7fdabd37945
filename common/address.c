/* Network addresses as values; see address.h. Runs in every process, needs no privilege. */
#include "common/address.h"

#include "common/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

size_t ip_family_length(uint8_t family)
{
    return family == IP_FAMILY_4 ? 4 : family == IP_FAMILY_6 ? 16 : 0;
}

uint8_t ip_family_bits(uint8_t family)
{
    return (uint8_t)(ip_family_length(family) * 8);
}

int ip_family_to_kernel(uint8_t family)
{
    return family == IP_FAMILY_4 ? AF_INET : family == IP_FAMILY_6 ? AF_INET6 : AF_UNSPEC;
}

uint8_t ip_family_from_kernel(int kernel_family)
{
    return kernel_family == AF_INET ? IP_FAMILY_4 : kernel_family == AF_INET6 ? IP_FAMILY_6 : IP_FAMILY_NONE;
}

const char *ip_family_to_string(uint8_t family)
{
    return family == IP_FAMILY_4 ? "v4" : family == IP_FAMILY_6 ? "v6" : "none";
}

struct ip_address ip_address_from_bytes(uint8_t family, const void *bytes)
{
    struct ip_address address = {.family = family};

    memcpy(address.bytes, bytes, ip_family_length(family));
    return address;
}

int ip_address_parse(const char *text, struct ip_address *ret)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1)
        *ret = ip_address_from_bytes(IP_FAMILY_4, bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        *ret = ip_address_from_bytes(IP_FAMILY_6, bytes);
    else
        return -EINVAL;
    return 0;
}

int ip_subnet_parse(const char *text, struct ip_subnet *ret)
{
    char address_text[IP_ADDRESS_TEXT_SIZE] = {0};
    const char *slash = strchr(text, '/');
    struct ip_address address;
    uint64_t prefix_length;

    if (!slash || (size_t)(slash - text) >= sizeof(address_text))
        return -EINVAL;
    memcpy(address_text, text, (size_t)(slash - text));
    if (ip_address_parse(address_text, &address) < 0)
        return -EINVAL;
    if (text_to_number(slash + 1, strlen(slash + 1), ip_family_bits(address.family), &prefix_length) < 0)
        return -EINVAL;
    *ret = (struct ip_subnet){.address = address, .prefix_length = (uint8_t)prefix_length};
    return 0;
}

static int hexadecimal_digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -EINVAL;
}

int mac_address_parse(const char *text, struct mac_address *ret)
{
    struct mac_address address;

    if (strlen(text) != MAC_ADDRESS_TEXT_SIZE - 1)
        return -EINVAL;
    for (size_t i = 0; i < sizeof(address.bytes); i++) {
        int high = hexadecimal_digit(text[i * 3]);
        int low = hexadecimal_digit(text[i * 3 + 1]);

        if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != ':'))
            return -EINVAL;
        address.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret = address;
    return 0;
}

const char *ip_address_format(const struct ip_address *address, char text[IP_ADDRESS_TEXT_SIZE])
{
    if (ip_family_length(address->family) == 0 ||
        !inet_ntop(ip_family_to_kernel(address->family), address->bytes, text, IP_ADDRESS_TEXT_SIZE))
        text_copy_cut(text, IP_ADDRESS_TEXT_SIZE, "-");
    return text;
}

const char *ip_subnet_format(const struct ip_subnet *subnet, char text[IP_SUBNET_TEXT_SIZE])
{
    char address[IP_ADDRESS_TEXT_SIZE];

    (void)snprintf(text, IP_SUBNET_TEXT_SIZE, "%s/%u", ip_address_format(&subnet->address, address),
                   (unsigned int)subnet->prefix_length);
    return text;
}

const char *ip_place_format(const struct ip_address *address, uint16_t port, char text[IP_PLACE_TEXT_SIZE])
{
    (void)snprintf(text, IP_PLACE_TEXT_SIZE, address->family == IP_FAMILY_6 ? "[%s]:%u" : "%s:%u",
                   IP_ADDRESS_TEXT(address), (unsigned int)port);
    return text;
}

const char *mac_address_format(const struct mac_address *address, char text[MAC_ADDRESS_TEXT_SIZE])
{
    const uint8_t *b = address->bytes;

    (void)snprintf(text, MAC_ADDRESS_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    return text;
}

int ip_address_compare(const struct ip_address *a, const struct ip_address *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, ip_family_length(a->family));
}

bool ip_address_is_among(const struct ip_address *address, const struct ip_address *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ip_address_equal(&list[i], address))
            return true;
    }
    return false;
}

bool mac_address_equal(const struct mac_address *a, const struct mac_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool mac_address_is_zero(const struct mac_address *address)
{
    return mac_address_equal(address, &(struct mac_address){{0}});
}

bool mac_address_is_host(const struct mac_address *address)
{
    return !mac_address_is_zero(address) && !(address->bytes[0] & 1);
}

/* The mask of byte `index` in a prefix of `prefix_length` bits. */
static uint8_t prefix_mask_byte(uint8_t prefix_length, size_t index)
{
    size_t bits_before = index * 8;

    if (prefix_length <= bits_before)
        return 0;
    if (prefix_length >= bits_before + 8)
        return 0xff;
    return (uint8_t)(0xff << (8 - (prefix_length - bits_before)));
}

bool ip_subnet_equal(const struct ip_subnet *a, const struct ip_subnet *b)
{
    return a->prefix_length == b->prefix_length && ip_address_equal(&a->address, &b->address);
}

bool ip_subnet_contains(const struct ip_subnet *subnet, const struct ip_address *address)
{
    size_t length = ip_family_length(subnet->address.family);
    size_t whole = subnet->prefix_length / 8; /* bytes that the prefix covers; of the next one only a part */

    if (length == 0 || subnet->address.family != address->family)
        return false;
    if (memcmp(subnet->address.bytes, address->bytes, whole < length ? whole : length) != 0)
        return false;
    return whole >= length ||
           !((subnet->address.bytes[whole] ^ address->bytes[whole]) & prefix_mask_byte(subnet->prefix_length, whole));
}

bool ip_subnet_overlaps(const struct ip_subnet *a, const struct ip_subnet *b)
{
    return ip_subnet_contains(a->prefix_length <= b->prefix_length ? a : b,
                              a->prefix_length <= b->prefix_length ? &b->address : &a->address);
}

struct ip_address ip_subnet_first(const struct ip_subnet *subnet)
{
    struct ip_address address = subnet->address;

    for (size_t i = 0; i < ip_family_length(address.family); i++)
        address.bytes[i] &= prefix_mask_byte(subnet->prefix_length, i);
    return address;
}

struct ip_address ip_subnet_last(const struct ip_subnet *subnet)
{
    struct ip_address address = subnet->address;

    for (size_t i = 0; i < ip_family_length(address.family); i++)
        address.bytes[i] |= (uint8_t)~prefix_mask_byte(subnet->prefix_length, i);
    return address;
}

bool ip_subnet_from_range(const struct ip_address *first, const struct ip_address *last, struct ip_subnet *ret)
{
    struct ip_address own;
    uint8_t bits = 0;

    while (bits < ip_family_bits(first->family) &&
           !((first->bytes[bits / 8] ^ last->bytes[bits / 8]) & 0x80 >> bits % 8))
        bits++;
    *ret = (struct ip_subnet){*first, bits};
    own = ip_subnet_first(ret);
    if (!ip_address_equal(&own, first))
        return false;
    own = ip_subnet_last(ret);
    return ip_address_equal(&own, last);
}

bool ip_address_is_unspecified(const struct ip_address *address)
{
    static const uint8_t zero[16];

    return memcmp(address->bytes, zero, sizeof(zero)) == 0;
}

bool ip_address_is_loopback(const struct ip_address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};

    if (address->family == IP_FAMILY_4)
        return address->bytes[0] == 127;
    return memcmp(address->bytes, loopback6, sizeof(loopback6)) == 0;
}

bool ip_address_is_multicast(const struct ip_address *address)
{
    if (address->family == IP_FAMILY_4)
        return (address->bytes[0] & 0xf0) == 0xe0;
    return address->bytes[0] == 0xff;
}

struct ip_address ip_address_link_local_of(const struct mac_address *mac)
{
    const uint8_t *bytes = mac->bytes;

    return (struct ip_address){
        .family = IP_FAMILY_6,
        .bytes = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, bytes[0] ^ 0x02, bytes[1], bytes[2], 0xff, 0xfe, bytes[3], bytes[4],
                  bytes[5]},
    };
}

bool ip_address_is_link_local(const struct ip_address *address)
{
    if (address->family == IP_FAMILY_4)
        return address->bytes[0] == 169 && address->bytes[1] == 254;
    return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

bool ip_address_is_unique_local(const struct ip_address *address)
{
    return address->family == IP_FAMILY_6 && (address->bytes[0] & 0xfe) == 0xfc;
}

/* 240.0.0.0/4 with 255.255.255.255 (RFC 1112 §4, RFC 919), 0.0.0.0/8 (RFC 1122); v4 only */
static bool is_reserved(const struct ip_address *address)
{
    return address->family == IP_FAMILY_4 && (address->bytes[0] == 0 || (address->bytes[0] & 0xf0) == 0xf0);
}

bool ip_address_is_host(const struct ip_address *address)
{
    return ip_family_length(address->family) != 0 && !ip_address_is_unspecified(address) &&
           !ip_address_is_loopback(address) && !ip_address_is_multicast(address) && !is_reserved(address);
}
