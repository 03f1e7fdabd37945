/*
 * The way out of one family, kept: our default routes and the rules that lead to them (ADDR-11, SA-2).
 *
 *     ip rule:   32764: from all lookup main suppress_prefixlength 0 proto 110
 *                32765: from all lookup 24942 proto 110
 *     ip route show table 24942:
 *                default via GATEWAY dev LINK proto 110 metric 100
 *                unreachable default proto 110 metric 4294967295
 *
 * So main's specific routes hold, Docker's default routes never do, other people's rules come first, and with the link
 * down or no gateway nothing leaves another way. Docker's routes are never touched. A kernel without policy routing has
 * no table but main. There the same routes stand twice, as two halves:
 *
 *     ip route show table main:
 *                0.0.0.0/1   via GATEWAY dev LINK proto 110 metric 100          (v6: ::/1)
 *                unreachable 0.0.0.0/1 proto 110 metric 4294967295
 *                128.0.0.0/1 …                                                  (v6: 8000::/1)
 *
 * More specific than every default route, they shadow Docker's instead of replacing it: Docker finds its own as it left
 * it (an edited one makes `docker network connect` fail), and there is nothing to restore after a crash.
 *
 * Used by anchord-netadmin and anchord-way (CAP_NET_ADMIN). It says what it found and did.
 */
#pragma once

#include "workers/netlink/network/request_failure.h"
#include "workers/netlink/network/routing_rules.h"
#include "workers/netlink/plan/route_list.h"

struct own_routes {
    uint8_t family;  /* enum ip_family */
    bool is_absent;  /* this kernel does not have the family */
    bool is_settled; /* the kernel had all that is wanted after the last comparison */
    bool reported_shadowing;
    uint32_t table; /* that our routes are in: our own or main; 0 until the kernel was asked */
    char routes_failure[REQUEST_FAILURE_SIZE];
    char rules_failure[REQUEST_FAILURE_SIZE];
};

struct own_routes_wish {
    const struct route_list *routes; /* that the family's table is to hold */
    uint32_t rules;                  /* ROUTING_RULE_… that are wanted, too */
    bool has_gateway;                /* a way to one is among the routes */
    int failure;                     /* of what comes before, reported: what is wanted is installed, not settled */
    bool is_new;                     /* another wish than the last one: what differs, nobody else has changed */
};

/* Which table the family's routes are in, asked of the kernel once: before the first route, since a kernel without
 * policy routing puts into main what is meant for any other table. Returns 0 or a failure, reported. */
int own_routes_choose_table(struct own_routes *own, struct rtnetlink *rtnetlink) __attribute__((warn_unused_result));

/* Brings routes and rules to the wish, once the table was chosen. A kernel without the family is no failure. Returns 0
 * or the first one, reported. */
int own_routes_apply(struct own_routes *own, struct rtnetlink *rtnetlink, const struct own_routes_wish *wish)
    __attribute__((warn_unused_result));

/* Removes our rules, then our routes. Returns 0 or the first failure, reported. */
int own_routes_remove(struct own_routes *own, struct rtnetlink *rtnetlink) __attribute__((warn_unused_result));

/* Whether a notification may mean that what is ours is not as it was: of routes only ours and those in their place
 * matter; a router's churn in main does not. */
bool own_routes_concern(const struct nlmsghdr *message);

/* Says that somebody else had changed something of ours. */
void own_routes_report_repair(uint8_t family, int changes);
