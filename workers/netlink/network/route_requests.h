/*
 * A routing table read and brought to what it shall hold.
 *
 * Used by anchord-netadmin and anchord-way (CAP_NET_ADMIN). Each call compares with what the kernel has and sends the
 * difference only, so that a predecessor's work is adopted without a gap; what is there and right is not touched. On
 * failure it is rtnetlink_request() that failed.
 */
#pragma once

#include "workers/netlink/plan/route_list.h"
#include "workers/netlink/rtnetlink.h"

/* Whether a route is looked for. */
typedef bool (*route_filter)(const struct route *route, const void *userdata);

/* Adds to *ret, which names family and table, the routes there that `is_wanted`, while there is room. Returns 0 or a
 * negative errno. */
int route_requests_read(struct rtnetlink *rtnetlink, route_filter is_wanted, const void *userdata,
                        struct route_list *ret) __attribute__((warn_unused_result));

/* The same with all that concerns us there: in main what is ours, in our tables everything. */
int route_requests_read_ours(struct rtnetlink *rtnetlink, struct route_list *ret) __attribute__((warn_unused_result));

/*
 * Brings the table that `wanted` names to `wanted`. Foreign default routes in it are removed, other foreign routes left
 * alone. Goes on after a failure to install one: a route that a DHCP server invented must not keep the others away.
 * Returns the number of changes (a prolonged lifetime is none), or a negative errno.
 */
int route_requests_bring_to(struct rtnetlink *rtnetlink, const struct route_list *wanted)
    __attribute__((warn_unused_result));

/* Removes a route as it was read. Returns 0, also when it has gone, or a negative errno. */
int route_requests_delete(struct rtnetlink *rtnetlink, const struct route *route) __attribute__((warn_unused_result));

/* Removes our routes from `table`. Returns 0 or a negative errno. */
int route_requests_remove_ours(struct rtnetlink *rtnetlink, uint8_t family, uint32_t table)
    __attribute__((warn_unused_result));
