/* What the group `path` lets be tried, and where; see path_check_internal.h. Runs as root. */
#include "daemon/command/path_check_internal.h"

#include <netinet/in.h>

/* Of one attempt; there are two, and a lost SYN is sent again after a second. */
#define ATTEMPT_MILLISECONDS 1200
/* Routers are near. */
#define HOP_MILLISECONDS 1000
/* A router gives one error a second, Linux one in two of those that say that there is no way. */
#define REST_MILLISECONDS 2200
/* Until a watch has begun. */
#define AGAIN_MILLISECONDS 500
/* As long as both attempts of another prober take. */
#define WATCH_MILLISECONDS 3000
/* A port of the throw-away host, where nobody else listens. */
#define LAN_PORT 24942
/* RFC 863, discard: most refuse it, which is an answer. RFC 1393's traceroute begins at that UDP port. */
#define DISCARD_PORT    9
#define TRACEROUTE_PORT 33434
#define DNS_PORT        53
/* Where nobody is: RFC 5737's TEST-NET-2, RFC 9637's documentation prefix. Packets end two or three routers on. */
#define NOWHERE4 "198.51.100.1"
#define NOWHERE6 "3fff::1"
/* Where a packet of a container ends: the network-anchor is the first router. */
#define NEAR_HOPS 2
#define FAR_HOPS  3

static const struct ip_address *address_of(const struct path_container *container, uint8_t family)
{
    return &container->addresses[family == IP_FAMILY_6 ? 1 : 0];
}

static struct probe_request request_make(enum probe_kind kind, const struct ip_address *target, uint16_t port)
{
    return (struct probe_request){
        .kind = kind,
        .milliseconds = ATTEMPT_MILLISECONDS,
        .port = port,
        .target = wire_address_from(target),
    };
}

static path_result ask(struct path_prober *prober, enum probe_kind kind, const struct ip_address *target, uint16_t port)
{
    struct probe_request request = request_make(kind, target, port);

    return target->family == IP_FAMILY_NONE ? NULL : path_prober_ask(prober, &request);
}

static path_result ask_from(struct path_prober *prober, enum probe_kind kind, const struct ip_address *source,
                            const struct ip_address *target, uint16_t port)
{
    struct probe_request request = request_make(kind, target, port);

    request.source = wire_address_from(source);
    return target->family == IP_FAMILY_NONE ? NULL : path_prober_ask(prober, &request);
}

/* Whether a connection of `peer` is there at the container's port. */
static path_result watch(struct path_prober *prober, const struct ip_address *peer, uint16_t port)
{
    struct probe_request request = request_make(PROBE_PEER, peer, port);

    request.milliseconds = WATCH_MILLISECONDS;
    return peer->family == IP_FAMILY_NONE ? NULL : path_prober_ask(prober, &request);
}

static path_result ask_listeners(struct path_prober *prober, uint8_t protocol, const struct ip_address *target,
                                 uint16_t port)
{
    struct probe_request request = request_make(PROBE_LISTENERS, target, port);

    request.protocol = protocol;
    return path_prober_ask(prober, &request);
}

static size_t index_of(const struct path_check *check, const struct path_container *container)
{
    return (size_t)(container - check->containers);
}

/* --- ports --------------------------------------------------------------------------------------------------- */

static void ask_port(struct path_check *check, struct path_port *port)
{
    enum probe_kind kind = port->protocol == IPPROTO_TCP ? PROBE_TCP : PROBE_UDP;
    struct path_prober *inside = &check->inside[index_of(check, port->container)];
    const struct ip_address *lan = &check->scene.lan[port->family == IP_FAMILY_6 ? 1 : 0];
    bool is_tcp = port->protocol == IPPROTO_TCP;

    port->listeners = ask_listeners(inside, port->protocol, &port->backend, port->backend_port);
    if (is_tcp) {
        port->client_seen = watch(inside, &port->own, port->backend_port);
        port->lan_seen = watch(inside, lan, port->backend_port);
        port->as_client = ask_from(&check->anchor, kind, &port->own, &port->backend, port->backend_port);
    }
    port->inside = ask(&check->anchor, kind, &port->backend, port->backend_port);
    port->hairpin = ask(inside->is_over ? &check->anchor : inside, kind, &port->own, port->port);
    port->from_lan = lan->family == IP_FAMILY_NONE ? NULL : ask(&check->lan, kind, &port->own, port->port);
}

/* --- containers ---------------------------------------------------------------------------------------------- */

static void ask_container(struct path_check *check, struct path_container *container)
{
    static const struct ip_address resolver = {.family = IP_FAMILY_4, .bytes = {127, 0, 0, 11}};
    struct path_prober *inside = &check->inside[index_of(check, container)];
    struct ip_address nowhere;

    for (size_t i = 0; i < 2; i++) {
        if (container->addresses[i].family != IP_FAMILY_NONE &&
            ip_address_parse(i ? NOWHERE6 : NOWHERE4, &nowhere) == 0)
            container->routes[i] = ask_from(inside, PROBE_ROUTE, &container->addresses[i], &nowhere, 0);
    }
    container->resolver = ask_listeners(inside, IPPROTO_UDP, &resolver, 0);
    container->question = ask_from(inside, PROBE_DNS, &container->addresses[0], &resolver, DNS_PORT);
}

/* --- the way out --------------------------------------------------------------------------------------------- */

static path_result ask_hops(struct path_check *check, const struct path_way_out *way, uint8_t hops, uint16_t size,
                            uint16_t delay)
{
    bool is_v6 = way->family == IP_FAMILY_6;
    struct ip_address nowhere;
    struct probe_request request;

    if (ip_address_parse(is_v6 ? NOWHERE6 : NOWHERE4, &nowhere) < 0)
        return NULL;
    request = request_make(PROBE_UDP, &nowhere, TRACEROUTE_PORT);
    request.milliseconds = HOP_MILLISECONDS;
    request.hop_limit = hops;
    request.size = size;
    request.delay = delay;
    return path_prober_ask(&check->inside[index_of(check, way->container)], &request);
}

static void ask_way_out(struct path_check *check, struct path_way_out *way)
{
    struct path_prober *inside = &check->inside[index_of(check, way->container)];
    size_t family = way->family == IP_FAMILY_6 ? 1 : 0;
    const struct ip_address *lan = &check->scene.lan[family];

    way->near.large = ask_hops(check, way, NEAR_HOPS, PATH_LARGE, 0);
    if (!ip_address_is_link_local(&check->scene.gateways[family]))
        way->router = ask(inside, PROBE_TCP, &check->scene.gateways[family], DISCARD_PORT);
    if (lan->family != IP_FAMILY_NONE) {
        struct probe_request request = request_make(PROBE_ACCEPT, lan, LAN_PORT);

        request.milliseconds = WATCH_MILLISECONDS;
        way->lan_seen = path_prober_ask(&check->lan, &request);
        (void)ask(inside, PROBE_TCP, lan, LAN_PORT); /* what came of it the other end says */
    }
}

static bool is_silent(path_result result)
{
    return path_outcome(result) == PROBE_SILENT;
}

/* Somebody is behind that router: it did not say that there is no way on. */
static bool has_more(path_result near)
{
    return path_outcome(near) == PROBE_EXPIRED || path_outcome(near) == PROBE_TOO_BIG;
}

/* The next step on a ladder. False: it has been climbed. */
static bool climb(struct path_check *check, const struct path_way_out *way, struct path_ladder *ladder, uint8_t hops)
{
    if (!ladder->large)
        ladder->large = ask_hops(check, way, hops, PATH_LARGE, 0);
    else if (is_silent(ladder->large) && !ladder->small)
        ladder->small = ask_hops(check, way, hops, PATH_SMALL, 0);
    else if (ladder->small && !is_silent(ladder->small) && !ladder->again)
        ladder->again = ask_hops(check, way, hops, PATH_LARGE, REST_MILLISECONDS);
    else
        return false;
    return true;
}

/* Who looks may have had no turn while the connection stood: what is told has failed twice. */
static bool look_again(struct path_check *check, struct path_port *port)
{
    struct path_prober *inside = &check->inside[index_of(check, port->container)];
    struct probe_request request = request_make(PROBE_TCP, &port->own, port->port);

    if (port->is_seen_twice || path_outcome(port->from_lan) != PROBE_ANSWERED || !port->lan_seen ||
        path_outcome(port->lan_seen) == PROBE_ANSWERED)
        return false;
    port->is_seen_twice = true;
    request.delay = AGAIN_MILLISECONDS;
    request.milliseconds = WATCH_MILLISECONDS; /* and stays that long */
    port->lan_seen = watch(inside, &check->scene.lan[port->family == IP_FAMILY_6 ? 1 : 0], port->backend_port);
    port->from_lan = path_prober_ask(&check->lan, &request);
    return true;
}

bool path_ask_further(struct path_check *check)
{
    bool is_asked = false;

    for (size_t i = 0; i < check->port_count; i++)
        is_asked = look_again(check, &check->ports[i]) || is_asked;
    for (size_t i = 0; i < check->way_count; i++) {
        struct path_way_out *way = &check->ways[i];

        if (check->inside[index_of(check, way->container)].is_over)
            continue;
        if (climb(check, way, &way->near, NEAR_HOPS) ||
            (has_more(way->near.large) && climb(check, way, &way->far, FAR_HOPS)))
            is_asked = true;
    }
    return is_asked;
}

/* By the first container of each family that can be looked into: all others leave the same way, or it is said. */
static void choose_ways_out(struct path_check *check)
{
    for (size_t family = 0; family < 2; family++) {
        for (size_t i = 0; i < check->container_count; i++) {
            const struct path_container *container = &check->containers[i];
            uint8_t number = family ? IP_FAMILY_6 : IP_FAMILY_4;

            if (container->namespace < 0 || address_of(container, number)->family == IP_FAMILY_NONE ||
                check->scene.own[family].family == IP_FAMILY_NONE)
                continue;
            check->ways[check->way_count++] = (struct path_way_out){.container = container, .family = number};
            break;
        }
    }
}

void path_ask_all(struct path_check *check)
{
    choose_ways_out(check);
    for (size_t i = 0; i < check->way_count; i++)
        ask_way_out(check, &check->ways[i]);
    for (size_t i = 0; i < check->container_count; i++)
        ask_container(check, &check->containers[i]);
    for (size_t i = 0; i < check->port_count; i++)
        ask_port(check, &check->ports[i]);
}
