/*
 * Reads what this namespace's links and addresses are, anew by two dumps.
 *
 * Used by anchord-netadmin and anchord-way. Notifications only say that the picture may be old: there are
 * a handful of links, so reading all of them costs less than a tenth of a millisecond and cannot go astray.
 * Needs the request socket, no privilege.
 */
#pragma once

#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/* What only netadmin needs of them. */
struct link_details {
    struct device_settings (*read_settings)(const struct nlattr *af_spec); /* of IFLA_AF_SPEC, or NULL */
    /* The link has LINK_ADDRESSES_MAX already: puts this one in the place of another, or does not. */
    void (*make_room)(struct network_link *link, const struct link_address *address);
};

/*
 * Fills `ret`, which must be empty and which the caller clears. Returns 0; -EINTR when the state changed
 * again and again meanwhile; else a negative errno whose request is rtnetlink_request(). *ret is empty then. Without
 * `details` settings stay zero, and of too many addresses the first ones count.
 */
int link_table_read(struct rtnetlink *rtnetlink, const struct link_details *details, struct link_table *ret)
    __attribute__((warn_unused_result));

/*
 * Reads the address of an RTM_NEWADDR or RTM_DELADDR. Returns the index of its link, or 0 when it is none of either
 * family.
 */
uint32_t link_address_parse(const struct nlmsghdr *message, struct link_address *ret);
