/*
 * Which networks are inside (WALL-1, WALL-2), as pure functions of what the links of the namespace hold: every subnet
 * of every link but the external one. Nothing that comes from the LAN, be it a source, a lease or an advertisement, may
 * name a part of them.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect.
 */
#pragma once

#include "common/address.h"
#include "workers/netlink/plan/links.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one family; two for each link that is looked at. Of more, the first ones count. */
#define INNER_PREFIXES_MAX 128

struct inner_prefix {
    struct ip_subnet subnet;   /* without host bits */
    struct ip_address source;  /* IPv4: the link's own address in it, what the anchor sends there with; or none */
    struct ip_address gateway; /* family none: it is on link */
    uint32_t link_index;
    bool is_up;
};

/*
 * The subnets of `family` on the links of `links` but the one with `external_index` (0: it is not there), each once, in
 * the order of the links, and then those behind them. Link-local ones are each link's own matter; what was advertised
 * on an inner link or has a lifetime is a container's word, not Docker's. Returns their number; in *ret_left_out how
 * many more there would be.
 */
size_t inner_prefixes_list(const struct link_table *links, uint32_t external_index, uint8_t family,
                           struct inner_prefix ret[INNER_PREFIXES_MAX], size_t *ret_left_out);

bool inner_prefix_equal(const struct inner_prefix *a, const struct inner_prefix *b);

/* The link that has an inner subnet around all of `subnet`, with that in *ret, or NULL. */
const struct network_link *inner_prefixes_find_around(const struct link_table *links, uint32_t external_index,
                                                      const struct ip_subnet *subnet, struct ip_subnet *ret);

#define INNER_REASON_SIZE (IP_SUBNET_TEXT_SIZE + INTERFACE_NAME_SIZE + sizeof("in the inner network  on "))

/* Why nothing from the LAN may name what lies in `inner`, a network of `link`. Returns ret. */
const char *inner_prefix_reason(const struct ip_subnet *inner, const struct network_link *link,
                                char ret[INNER_REASON_SIZE]);

/* The link that has an inner subnet within `subnet`, with that in *ret, or NULL. */
const struct network_link *inner_prefixes_find_within(const struct link_table *links, uint32_t external_index,
                                                      const struct ip_subnet *subnet, struct ip_subnet *ret);
