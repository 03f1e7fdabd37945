/*
 * Network addresses as values: IP addresses of both families, subnets, MAC addresses.
 *
 * Used by every process; pure functions, no privilege. The families are named by the digits 4 and 6
 * everywhere in anchord, also on the wire, because AF_INET6 differs between systems and 4/6 reads well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum ip_family {
    IP_FAMILY_NONE = 0, /* "no address" */
    IP_FAMILY_4 = 4,
    IP_FAMILY_6 = 6,
};

/* bytes: network byte order; an IPv4 address uses the first four, the rest is zero. */
struct ip_address {
    uint8_t family; /* enum ip_family */
    uint8_t bytes[16];
};

struct ip_subnet {
    struct ip_address address; /* any address inside the subnet; host bits may be set */
    uint8_t prefix_length;
};

struct mac_address {
    uint8_t bytes[6];
};

#define IP_ADDRESS_TEXT_SIZE  46 /* INET6_ADDRSTRLEN */
#define IP_SUBNET_TEXT_SIZE   50
#define MAC_ADDRESS_TEXT_SIZE 18
#define IP_PLACE_TEXT_SIZE    (IP_ADDRESS_TEXT_SIZE + sizeof("[]:65535"))

/* 4 or 16; 0 for IP_FAMILY_NONE. */
size_t ip_family_length(uint8_t family);

/* 32 or 128; 0 for IP_FAMILY_NONE. */
uint8_t ip_family_bits(uint8_t family);

/* AF_INET or AF_INET6 (AF_UNSPEC for none), and back (IP_FAMILY_NONE for anything else). */
int ip_family_to_kernel(uint8_t family);
uint8_t ip_family_from_kernel(int kernel_family);

/* "v4" or "v6": the value of the metrics' label `family`. */
const char *ip_family_to_string(uint8_t family);

/* Takes 4 or 16 bytes in network byte order. */
struct ip_address ip_address_from_bytes(uint8_t family, const void *bytes);

/* Parses all of `text` as one IPv4 or IPv6 address without a zone. Returns 0 or -EINVAL. */
int ip_address_parse(const char *text, struct ip_address *ret) __attribute__((warn_unused_result));

/* Parses `address/prefix`. Returns 0 or -EINVAL. */
int ip_subnet_parse(const char *text, struct ip_subnet *ret) __attribute__((warn_unused_result));

/* Parses `aa:bb:cc:dd:ee:ff`. Returns 0 or -EINVAL. */
int mac_address_parse(const char *text, struct mac_address *ret) __attribute__((warn_unused_result));

/* All return `text`; an address of no family prints as "-". */
const char *ip_address_format(const struct ip_address *address, char text[IP_ADDRESS_TEXT_SIZE]);
const char *ip_subnet_format(const struct ip_subnet *subnet, char text[IP_SUBNET_TEXT_SIZE]);
const char *mac_address_format(const struct mac_address *address, char text[MAC_ADDRESS_TEXT_SIZE]);
/* "192.0.2.5:80", "[2001:db8::5]:80" */
const char *ip_place_format(const struct ip_address *address, uint16_t port, char text[IP_PLACE_TEXT_SIZE]);
/* The same, in memory that lasts as long as the block around it: for a line of log, say. */
#define IP_ADDRESS_TEXT(address_)      ip_address_format(address_, (char[IP_ADDRESS_TEXT_SIZE]){0})
#define IP_SUBNET_TEXT(subnet_)        ip_subnet_format(subnet_, (char[IP_SUBNET_TEXT_SIZE]){0})
#define MAC_ADDRESS_TEXT(address_)     mac_address_format(address_, (char[MAC_ADDRESS_TEXT_SIZE]){0})
#define IP_PLACE_TEXT(address_, port_) ip_place_format(address_, port_, (char[IP_PLACE_TEXT_SIZE]){0})

/* Orders by family, then bytes: <0, 0, >0 as memcmp. */
int ip_address_compare(const struct ip_address *a, const struct ip_address *b);
/* Asked for every backend of every state: inline. */
static inline bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
/* Whether `address` is one of the `count` addresses at `list`. */
bool ip_address_is_among(const struct ip_address *address, const struct ip_address *list, size_t count);
bool mac_address_equal(const struct mac_address *a, const struct mac_address *b);
bool mac_address_is_zero(const struct mac_address *address);
/* One that a single interface can have: not zero, no group (IEEE 802-2014 §8.2, the first byte's lowest bit). */
bool mac_address_is_host(const struct mac_address *address);

bool ip_subnet_equal(const struct ip_subnet *a, const struct ip_subnet *b); /* host bits count */
bool ip_subnet_contains(const struct ip_subnet *subnet, const struct ip_address *address);
bool ip_subnet_overlaps(const struct ip_subnet *a, const struct ip_subnet *b); /* one has all of the other in it */

/* The subnet's first address (all host bits 0) and last one (all 1: v4's directed broadcast). */
struct ip_address ip_subnet_first(const struct ip_subnet *subnet);
struct ip_address ip_subnet_last(const struct ip_subnet *subnet);

/* The subnet that has all from `first` to `last`, and no other address. Returns whether there is one. */
bool ip_subnet_from_range(const struct ip_address *first, const struct ip_address *last, struct ip_subnet *ret);

/* 0.0.0.0 or :: */
bool ip_address_is_unspecified(const struct ip_address *address);
/* 127.0.0.0/8 (RFC 1122 §3.2.1.3), ::1 (RFC 4291 §2.5.3) */
bool ip_address_is_loopback(const struct ip_address *address);
/* 224.0.0.0/4 (RFC 5771), ff00::/8 (RFC 4291 §2.7) */
bool ip_address_is_multicast(const struct ip_address *address);
/* The IPv6 link-local address that an interface with this MAC makes itself (RFC 4291 §2.5.6, appendix A). */
struct ip_address ip_address_link_local_of(const struct mac_address *mac);
/* 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291 §2.5.6) */
bool ip_address_is_link_local(const struct ip_address *address);
/* fc00::/7 (RFC 4193) */
bool ip_address_is_unique_local(const struct ip_address *address);

/* An address that a host on a network can have: none of unspecified, loopback, multicast, reserved. */
bool ip_address_is_host(const struct ip_address *address);
