/*
 * Which of several advertised routers answer (ADDR-11, RFC 4861 §7.3.3), and what each of them said last.
 *
 * Owned by network.c inside anchord-netadmin (CAP_NET_ADMIN): a socket of its own for notifications, opened before the
 * sandbox is sealed. What it notices between two turns leads to the next one by network_ground_wake().
 */
#pragma once

#include "common/recent.h"
#include "workers/netadmin/link/network_ground.h"
#include "workers/netadmin/plan/gateway_choice.h"

struct router_watch {
    struct network_ground *ground;
    const struct gateway_choice *choice; /* IPv6's, in use */
    struct mnl_socket *monitor;          /* of neighbours; its source is on while there are several routers */
    sd_event_source *source;
    bool is_following;
    bool is_stale; /* a notification said so */
    struct ip_address silent[ROUTERS_READ_MAX];
    size_t silent_count;
    uint64_t probe_at; /* CLOCK_MONOTONIC, microseconds: when they are asked again */
    struct message_advertised advertised[ADVERTISERS_MAX]; /* what each router on the external link said last */
    struct recent advertised_recent;
};

/* Opens what it needs; `choice` is looked at whenever something comes. Returns 0 or a negative errno. */
int router_watch_open(struct router_watch *watch, struct network_ground *ground, const struct gateway_choice *choice,
                      sd_event *event) __attribute__((warn_unused_result));
void router_watch_close(struct router_watch *watch);

/*
 * Fills is_silent of `routers` by what the kernel's neighbour detection found, follows it while there are several, and
 * has the silent ones asked once a minute. Returns 0 or a failure, reported.
 */
int router_watch_look(struct router_watch *watch, const struct network_link *external, struct gateway *routers,
                      size_t count);

/* CLOCK_MONOTONIC, microseconds; UINT64_MAX without a silent router. */
uint64_t router_watch_next_probe(const struct router_watch *watch);

/* Whether the kernel does not take a route of `length` that a router advertises (RFC 4191 §2.3). */
bool router_watch_ignores_route(const struct network_link *external, uint32_t length);

/* Takes over what a router said. Returns whether it is one of the external link, so that it may count. */
bool router_watch_note(struct router_watch *watch, const struct message_advertised *advertised);

/* What the router in use advertised last, or NULL: nobody told, or no advertised router is used. */
const struct message_advertised *router_watch_find(const struct router_watch *watch);
