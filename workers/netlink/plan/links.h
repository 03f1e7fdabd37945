/*
 * What this namespace's links and addresses are, as values: one consistent picture.
 *
 * Filled by network/link_reading.c, read by all that anchord-netadmin and anchord-way decide; pure, no privilege.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"

#include <linux/if_addr.h>
#include <stdbool.h>

/* IPV4_DEVCONF_… of linux/ip.h, with the names that sysctl(8) gives them below net.ipv4.conf.IF. */
struct device_settings {
    uint32_t forwarding;
    uint32_t arp_ignore;
    uint32_t arp_announce;
    uint32_t promote_secondaries;
    uint32_t rp_filter;
    uint32_t
        route_length6; /* net.ipv6.conf.IF.accept_ra_rt_info_max_plen; more specific routes of routers are not taken */
    uint32_t ipv6_flags; /* enum link_ipv6_flag of protocol/messages.h */
};

/* Which of the two sides of the anchor a device is on. */
enum device_side {
    DEVICE_SIDE_EXTERNAL,
    DEVICE_SIDE_SHARED,
    DEVICE_SIDE_ATTACHED, /* an inner link of attach: one of several, without addresses of the networks behind them */
};

struct link_address {
    struct ip_address address;
    uint8_t prefix_length;
    uint8_t protocol; /* IFA_PROTO, linux/if_addr.h: who added it; 0 when not said (before Linux 5.18) */
    uint8_t reserved;
    uint32_t flags;   /* IFA_F_… */
    uint32_t created; /* hundredths of a second since the kernel's start; wraps around (ifa_cacheinfo.cstamp) */
};

struct network_link {
    uint32_t index;
    uint32_t mtu; /* bytes */
    char name[INTERFACE_NAME_SIZE];
    struct mac_address mac; /* zero when the link has none of six bytes */
    uint8_t is_up;          /* IFF_UP: 0 or 1 */
    uint8_t is_running;     /* IFF_RUNNING: 0 or 1; before that the kernel drops what is sent, without a word */
    struct device_settings settings;
    uint32_t address_count;
    /* Addresses beyond LINK_ADDRESSES_MAX: temporary ones, deprecated ones of routers, others of routers, and then the
     * newest, ours last. */
    uint32_t left_out;
    struct link_address addresses[LINK_ADDRESSES_MAX]; /* in the kernel's order */
};

/* Compared byte by byte. */
static_assert(sizeof(struct link_address) == 28, "no padding");
static_assert(sizeof(struct network_link) == 4 + 4 + INTERFACE_NAME_SIZE + 6 + 1 + 1 + sizeof(struct device_settings) +
                                                 4 + 4 + LINK_ADDRESSES_MAX * sizeof(struct link_address),
              "no padding");

/* What is reached by a link that has no address in it: a Docker network of an attached project, or the host's address
 * (HOST-2, HOST-7). */
struct subnet_behind {
    char link[INTERFACE_NAME_SIZE];
    struct ip_subnet subnet;
    struct ip_address gateway; /* family none: it is on link */
    struct ip_address source;  /* what the anchor itself sends there with; family none: as the kernel chooses */
};

/* All links but loopback, at most LINKS_MAX, in the kernel's order. Zero is an empty table. */
struct link_table {
    struct network_link *links;
    size_t count;
    size_t left_out;                    /* links beyond LINKS_MAX */
    const struct subnet_behind *behind; /* not read of the kernel, not owned, not compared */
    size_t behind_count;
};

/* Frees what the table holds and leaves it empty. */
void link_table_clear(struct link_table *table);

bool link_table_equal(const struct link_table *a, const struct link_table *b);

/* Whether any link is up or has an address. What the kernel puts into each new namespace (tunl0, sit0 …) is neither, so
 * it does not count as the links that a container's namespace has while it is alive (SA-6). */
bool link_table_is_connected(const struct link_table *table);

/* The link with this MAC (the first one, by index), or NULL. The pointer lives as long as the table. */
const struct network_link *link_table_find_mac(const struct link_table *table, const struct mac_address *mac);

/* The link with this name, or NULL. As above. */
const struct network_link *link_table_find_name(const struct link_table *table, const char *name);

/* The link with this index, or NULL. As above. */
struct network_link *link_table_find_index(const struct link_table *table, uint32_t index);

/* The link's first entry of `address`, or NULL. */
const struct link_address *network_link_find(const struct network_link *link, const struct ip_address *address);

/* Whether `gateway`, which is not the link's own address, is on link: tentative addresses count, since that does not
 * depend on duplicate address detection. */
bool network_link_reaches(const struct network_link *link, const struct ip_address *gateway);

/* False while the address is tentative or failed its duplicate address detection (RFC 4862 §5.4). */
static inline bool link_address_is_usable(const struct link_address *address)
{
    return !(address->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
}
