/*
 * What every part of the network half stands on: the socket for requests, links and addresses as last read, what was
 * configured, and what failed last.
 *
 * Owned by network.c inside anchord-netadmin; each part is handed this and its own struct. Nothing here knows a part: a
 * part that wants a new turn asks for one with network_ground_wake(), and never calls upwards.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/netadmin/plan/subnets_behind.h"
#include "workers/netlink/network/request_failure.h"
#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

/* Places that can fail each for themselves; a failure is said once, until the place works or fails otherwise. */
enum network_step {
    NETWORK_STEP_LINKS,
    NETWORK_STEP_ATTACHED_LINKS,
    NETWORK_STEP_EXTERNAL_SETTINGS,
    NETWORK_STEP_SHARED_SETTINGS,
    NETWORK_STEP_EXTERNAL_ADDRESSES,
    NETWORK_STEP_SHARED_ADDRESSES,
    NETWORK_STEP_OWN4,
    NETWORK_STEP_OWN6,
    NETWORK_STEP_ADOPTION,
    NETWORK_STEP_LINK_LOCAL,
    NETWORK_STEP_CLAIM,
    NETWORK_STEP_NEIGHBOURS,
    NETWORK_STEP_ROUTERS,
    NETWORK_STEP_TRESPASSERS,
    NETWORK_STEP_WITNESS,
    NETWORK_STEP_INNER4,
    NETWORK_STEP_INNER6,
    NETWORK_STEP_MAX_,
};

struct network_ground {
    struct rtnetlink *rtnetlink;
    enum address_mode address_mode;
    bool has_topology;
    struct message_topology topology;
    struct link_table links;
    bool has_rules;             /* the tables were installed since we began */
    bool is_attached;           /* HOST-2: no shared network of the topology, but those of `shared_links` */
    struct ip_address next_hop; /* IPv4, that of containers and of the host, on each inner link */
    struct message_shared_links shared_links;     /* type MESSAGE_INVALID until they came */
    struct message_host_addresses host_addresses; /* the same */
    struct via_host via_host;
    struct subnets_behind behind; /* listed of the three at each reading */
    sd_event_source *wake_source; /* deferred and off: what comes in one turn of the loop is one reading */
    bool must_tell;               /* in that turn, the other half, whatever the reading shows */
    char failures[NETWORK_STEP_MAX_][REQUEST_FAILURE_SIZE];
};

/* Of several steps that all are tried the first failure counts. */
static inline void keep_first(int *first, int result)
{
    if (*first >= 0 && result < 0)
        *first = result;
}

/* The external or shared link, or NULL while it is not there or there is no topology. */
const struct network_link *network_ground_find(const struct network_ground *ground, enum device_side side);

/* Something changed that no notification tells: links are read and everything is compared once more, soon. */
void network_ground_wake(struct network_ground *ground);

/* A result < 0 is an error in the log, once; >= 0 forgets the one before. Returns `result`. */
int network_ground_report(struct network_ground *ground, enum network_step step, int result);
