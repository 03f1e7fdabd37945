/*
 * What our routing tables are to hold, and what of what they hold is right, as pure functions; route_table.h shows
 * both tables.
 *
 * Used by route_table.c inside anchord-netadmin; no privilege, no side effect.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"
#include "workers/netadmin/plan/gateway_choice.h"
#include "workers/netadmin/plan/inner_prefixes.h"

#include <stdbool.h>
#include <stdint.h>

/* "an" and the next. Tables 256 … 2^32-1 are free (linux/rtnetlink.h). */
#define ROUTE_TABLE_NUMBER       UINT32_C(24942)
#define INNER_ROUTE_TABLE_NUMBER UINT32_C(24943)
/* Of our routes in main: half of all addresses. */
#define HALF_PREFIX_LENGTH 1
/* RTPROT_… and FRA_PROTOCOL of all that is ours; 'n'. Neither linux/rtnetlink.h nor iproute2's rt_protos has it. */
#define ROUTE_PROTOCOL UINT8_C(110)

/* Routes of our table that are looked at in one reading: option 121's, a default for each router, `unreachable`, all
 * that twice while one lease follows another, and some of other people. */
#define ROUTES_OF_OTHERS_MAX 32
#define ROUTES_MAX           (2 * LEASE_ROUTES_MAX + ROUTES_OF_OTHERS_MAX)
static_assert(ROUTES_MAX - ROUTES_OF_OTHERS_MAX >= INNER_PREFIXES_MAX, "all inner prefixes and some of other people");

struct route {
    uint8_t family;
    uint8_t type;     /* RTN_… */
    uint8_t protocol; /* RTPROT_… */
    uint8_t scope;    /* RT_SCOPE_… */
    uint8_t preference;
    uint8_t destination_length;
    uint32_t table;
    uint32_t metric;
    uint32_t index; /* of the link; 0 for none */
    uint32_t mtu;   /* 0: the link's */
    uint32_t expires_in;
    bool is_expired;
    bool is_on_link; /* the gateway, whatever the kernel's own look-up says of it */
    struct ip_address destination;
    struct ip_address gateway;
    struct ip_address source; /* of what the anchor itself sends there */
};

struct route_list {
    uint8_t family;
    uint32_t table;
    struct route routes[ROUTES_MAX];
    size_t count;
};

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

/* The same route in `list`, whatever its lifetime, or NULL. */
const struct route *route_plan_find(const struct route_list *list, const struct route *route);

/* Whether neither has to be written anew for its lifetime alone. */
bool route_plan_lifetime_equal(const struct route *a, const struct route *b);

/* In main, all that is not ours is none of our business. */
bool route_plan_concerns(const struct route *route);

/* Ours, or a default route that somebody else put into our table. */
bool route_plan_may_remove(const struct route *route);

/* What a predecessor remembered in table 24943; *ret stays as it is without anything. */
void route_plan_find_remembered(const struct route_list *present, struct link_address *ret);

/* What a predecessor installed for a lease: fills the gateway, the routes and the MTU of *ret, all but its address. */
void route_plan_find_lease(const struct route_list *present, struct lease *ret);

/* Whether a route of the main table leads over link `index` into a subnet of `shared` in a router's name. */
bool route_plan_is_trespasser(const struct route *route, uint32_t index, const struct wire_network *shared);

/* Whether a router's advertisement over link `index` brought it as a default route that still holds. */
bool route_plan_is_router(const struct route *route, uint32_t index);
