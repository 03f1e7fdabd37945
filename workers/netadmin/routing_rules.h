/*
 * The two policy rules that lead into our routing table; route_table.h shows them.
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN). Foreign rules are never touched; ours are those
 * with our protocol number. On failure the failed request is in *request.
 */
#pragma once

#include "workers/netadmin/rtnetlink.h"

#include <stdint.h>

/*
 * Adds what is missing, removes ours that are not wanted. Returns the number of changes or a negative errno;
 * -EAFNOSUPPORT when the kernel has no such family.
 */
int routing_rules_apply(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family)
    __attribute__((warn_unused_result));

/* Removes all of ours. Returns 0 or a negative errno. */
int routing_rules_remove(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, uint8_t family)
    __attribute__((warn_unused_result));
