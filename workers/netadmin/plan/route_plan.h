/*
 * What our routing tables are to hold, and what a predecessor left in them, as pure functions; route_table.h shows
 * both tables.
 *
 * Used by route_table.c inside anchord-netadmin; no privilege, no side effect.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/netadmin/plan/gateway_choice.h"
#include "workers/netadmin/plan/inner_prefixes.h"
#include "workers/netlink/plan/route_list.h"

static_assert(ROUTES_MAX - ROUTES_OF_OTHERS_MAX >= INNER_PREFIXES_MAX, "all inner prefixes and some of other people");

/* A default route is wanted through this link; NULL or a link that is down: only `unreachable default`. */
struct route_wish {
    uint8_t family; /* enum ip_family */
    uint32_t table; /* ROUTE_TABLE_NUMBER, or RT_TABLE_MAIN without policy routing */
    const struct network_link *external;
    const struct gateway_choice *choice;
    const struct lease *lease; /* whose routes are wanted, too; NULL without one */
};

/* What the table shall hold for the wish, the last resort first. */
void route_plan_list(const struct route_wish *wish, struct route_list *ret);

/* What table 24943 shall hold for one family; what is to be remembered there may be of no family. */
void route_plan_list_inner(uint8_t family, const struct inner_prefix *prefixes, size_t count,
                           const struct link_address *remembered, struct route_list *ret);

/* What a predecessor remembered in table 24943; *ret stays as it is without anything. */
void route_plan_find_remembered(const struct route_list *present, struct link_address *ret);

/* What a predecessor installed for a lease: fills the gateway, the routes and the MTU of *ret, all but its address. */
void route_plan_find_lease(const struct route_list *present, struct lease *ret);

/* Whether a route of the main table leads over link `index` into a subnet of `shared` in a router's name. */
bool route_plan_is_trespasser(const struct route *route, uint32_t index, const struct wire_network *shared);

/* Whether a router's advertisement over link `index` brought it as a default route that still holds. */
bool route_plan_is_router(const struct route *route, uint32_t index);
