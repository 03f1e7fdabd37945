/*
 * What libmnl alone does not see of a netlink message. Pure; in programs with CAP_NET_ADMIN, before they read an answer
 * of the kernel.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <stdbool.h>

/*
 * Whether a whole message stands at the beginning of `rest` bytes. libmnl's mnl_nlmsg_ok() alone takes a length beyond
 * INT_MAX for a negative one, which fits everywhere (found by fuzz_rtnetlink).
 */
static inline bool netlink_message_is_whole(const struct nlmsghdr *message, int rest)
{
    return mnl_nlmsg_ok(message, rest) && message->nlmsg_len <= (uint32_t)rest;
}
