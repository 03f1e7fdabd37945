/*
 * The policy rules that lead into our routing tables; own_routes.h shows them.
 *
 * Used by anchord-netadmin and anchord-way (CAP_NET_ADMIN). Foreign rules are never touched; ours are those
 * with our protocol number. On failure it is rtnetlink_request() that failed.
 */
#pragma once

#include "workers/netlink/rtnetlink.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Returns 1 when the kernel has policy routing for the family; 0 when it has none: no rules at all (EOPNOTSUPP, without
 * CONFIG_IP_MULTIPLE_TABLES), or none of this family (EAFNOSUPPORT, without CONFIG_IPV6_MULTIPLE_TABLES, and without
 * IPv6); else a negative errno.
 */
int routing_rules_exist(struct rtnetlink *rtnetlink, uint8_t family) __attribute__((warn_unused_result));

/* Rules that are not everywhere. */
enum {
    ROUTING_RULE_INNER = 1 << 0,  /* into table 24943 */
    ROUTING_RULE_MARKED = 1 << 1, /* what came in by a published port of Docker's goes back that way (HOST-5) */
};
#define ROUTING_MARK UINT32_C(0x00400000) /* and its mask: one bit of 32, with which others may do what they like */

/* Adds what is missing, removes ours that are not wanted; `extra` are bits of ROUTING_RULE_…. Returns the number of
 * changes or a negative errno. */
int routing_rules_apply(struct rtnetlink *rtnetlink, uint8_t family, uint32_t extra)
    __attribute__((warn_unused_result));

/* Returns how many rules of others come before ours, and the first one's priority, if there is one; or a negative
 * errno. */
int routing_rules_count_others(struct rtnetlink *rtnetlink, uint8_t family, uint32_t *ret_first)
    __attribute__((warn_unused_result));

/* Removes all of ours. Returns 0 or a negative errno. */
int routing_rules_remove(struct rtnetlink *rtnetlink, uint8_t family) __attribute__((warn_unused_result));
