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

/* Adds what is missing, removes ours that are not wanted; the rule into table 24943 is wanted if `has_inner`. Returns
 * the number of changes or a negative errno. */
int routing_rules_apply(struct rtnetlink *rtnetlink, uint8_t family, bool has_inner)
    __attribute__((warn_unused_result));

/* Removes all of ours. Returns 0 or a negative errno. */
int routing_rules_remove(struct rtnetlink *rtnetlink, uint8_t family) __attribute__((warn_unused_result));
