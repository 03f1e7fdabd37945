/*
 * The network half's conversation with the announcer: it hears which addresses we hold (ADDR-12), and is asked before a
 * gateway address is claimed (GW-1).
 *
 * Owned by network.c inside anchord-netadmin; no privilege. What it says leads to a turn by network_ground_wake().
 */
#pragma once

#include "protocol/channel.h"
#include "workers/netadmin/address/duplicates.h"
#include "workers/netadmin/link/network_ground.h"
#include "workers/netadmin/plan/gateway_probe.h"

/* Of external and shared link. */
#define HELD_ADDRESSES_MAX (2 * LINK_ADDRESSES_MAX)

struct announcer_callbacks {
    /* Who has an address, whoever asked for it. */
    void (*on_probed)(const struct message_probed *answer, void *userdata);
    /* What it read in a router's advertisement: the egress address may be another. */
    void (*on_advertised)(const struct message_advertised *advertised, void *userdata);
    void *userdata;
};

struct announcer_peer {
    struct network_ground *ground;
    struct announcer_callbacks callbacks;
    struct channel *channel;      /* NULL while there is none */
    sd_event_source *probe_timer; /* no answer came, or time to ask again */
    struct gateway_probes probes;
    uint32_t probed_index;                     /* of the link on which given addresses are looked for */
    bool is_blind;                             /* nobody could be asked there yet */
    struct wire_held held[HELD_ADDRESSES_MAX]; /* as last sent */
    size_t held_count;
    uint64_t held_generation;
    struct duplicates contested; /* of what we hold, what somebody else has, too (ADDR-13) */
};

/* Talks to the announcer at the other end of `descriptor`, which is ours from now on, instead of an earlier one.
 * Returns 0 or a negative errno: no announcer. */
int announcer_peer_link(struct announcer_peer *peer, int descriptor) __attribute__((warn_unused_result));
void announcer_peer_close(struct announcer_peer *peer);

/* Sends HELD when it differs from the last one or `must_send`; after each reading of the links. `external` is without
 * what lies in an inner network; either may be NULL. */
void announcer_peer_tell(struct announcer_peer *peer, const struct network_link *external,
                         const struct network_link *shared, bool must_send);

/* Asks who has `address` on `link`; on_probed() hears the answer. */
void announcer_peer_ask(struct announcer_peer *peer, const struct network_link *link, const struct ip_address *address);

/*
 * A claim_permission (claimed_addresses.h) with the peer as userdata: whether `address`, which we do not hold, may be
 * added to `link` now (GW-1). False: the announcer was asked, or somebody else has it; then a turn comes by itself.
 */
bool announcer_peer_may_claim(const struct network_link *link, const struct ip_address *address, void *userdata);

/* The same for one that was given (ADDR-13, RFC 5227 §2.1): it has time to wait until the announcer is there and the
 * link sends. */
bool announcer_peer_may_take(const struct network_link *link, const struct ip_address *address, void *userdata);
