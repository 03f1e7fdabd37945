/*
 * Who on a LAN has certain addresses: asked for three times by ARP and neighbour discovery, as RFC 5227 and RFC 4862 do
 * before they take one. Nobody learns an address of ours by it.
 *
 * Used by `anchord attach` and `anchord doctor`. Opening needs CAP_NET_RAW, nothing after it does. Reads what anybody
 * on the link sends.
 */
#pragma once

#include "common/address.h"
#include "common/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

#define HOLDER_SEARCH_MAX 8 /* addresses at once */

struct holder_search {
    int arp, icmp6;         /* -1: not open; icmp6 also where the kernel has no IPv6 */
    uint32_t index;         /* of the interface on the LAN */
    struct mac_address mac; /* its own, which answers nobody */
    /* Of the interface: asks as a neighbour does, not as one who wants an address. Family none: the other way. */
    struct ip_address sender, sender6;
    struct ip_address addresses[HOLDER_SEARCH_MAX];
    bool is_held[HOLDER_SEARCH_MAX];
    struct mac_address holders[HOLDER_SEARCH_MAX]; /* zero: it did not say */
    size_t count;
};

/* Opens both sockets. Returns 0 or a negative errno. */
int holder_search_open(struct holder_search *search) __attribute__((warn_unused_result));

/* When index, mac and addresses are there: begins to listen. */
int holder_search_begin(struct holder_search *search) __attribute__((warn_unused_result));

/* Asks, which takes a second, and fills is_held and holders. Returns 0 or a negative errno. */
int holder_search_run(struct holder_search *search) __attribute__((warn_unused_result));

void holder_search_close(struct holder_search *search);
