/*
 * Routes of ours as values, and what of what a table holds is right, as pure functions.
 *
 * Used by whoever keeps a way out: anchord-netadmin (plan/route_plan.c says what it wants there) and anchord-way; no
 * privilege, no side effect.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "an" and the next. Tables 256 … 2^32-1 are free (linux/rtnetlink.h). */
#define ROUTE_TABLE_NUMBER       UINT32_C(24942)
#define INNER_ROUTE_TABLE_NUMBER UINT32_C(24943)
/* Of our routes in main: half of all addresses. */
#define HALF_PREFIX_LENGTH 1
/* RTPROT_… and FRA_PROTOCOL of all that is ours; 'n'. Neither linux/rtnetlink.h nor iproute2's rt_protos has it. */
#define ROUTE_PROTOCOL UINT8_C(110)
/* Not 1024: what is added without a metric gets that one in v6, and a replace would hit it. */
#define METRIC_FIRST_GATEWAY UINT32_C(100)

/* Routes of our table that are looked at in one reading: option 121's, a default for each router, `unreachable`, all
 * that twice while one lease follows another, and some of other people. */
#define ROUTES_OF_OTHERS_MAX 32
#define ROUTES_MAX           (2 * LEASE_ROUTES_MAX + ROUTES_OF_OTHERS_MAX)

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

/* A default route of ours in `family`, as network/own_routes.h shows it, but for table and destination. */
struct route route_list_way(uint8_t family, const struct ip_address *gateway, uint32_t link_index);

/*
 * Adds what leads everywhere: `unreachable default` and each of `ways`, whose destination is filled in; in main, whose
 * default routes are not ours, all of that once for each half. The last resort comes first, so that there is no moment
 * without it.
 */
void route_list_add_defaults(struct route_list *list, const struct route *ways, size_t count);

/* The same route in `list`, whatever its lifetime, or NULL. */
const struct route *route_list_find(const struct route_list *list, const struct route *route);

/* Whether neither has to be written anew for its lifetime alone. */
bool route_lifetime_equal(const struct route *a, const struct route *b);

/* In main, all that is not ours is none of our business. */
bool route_concerns_us(const struct route *route);

/* Ours, or a default route that somebody else put into our table. */
bool route_may_remove(const struct route *route);
