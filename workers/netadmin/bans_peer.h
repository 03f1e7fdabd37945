/*
 * The conversation with anchord-bans (GUEST-2): who is banned comes from it alone, and nothing else does.
 *
 * Owned by netadmin.c inside anchord-netadmin with CAP_NET_ADMIN. The channel is a pair that the supervisor made: no
 * other peer can ban, and this one cannot expose.
 */
#pragma once

#include "protocol/channel.h"
#include "workers/netadmin/network.h"
#include "workers/netadmin/ruleset.h"

struct bans_peer {
    sd_event *event;
    struct ruleset *ruleset;
    sd_event_source *reconcile_source; /* woken when the kernel could not: the caller's */
    struct channel *channel;           /* NULL while there is none */
    struct ban_list incoming;
    size_t incoming_capacity;
    bool is_open; /* between BEGIN and COMMIT */
    bool is_whole;
    uint64_t generation;
    bool waits;                            /* for the next ruleset_apply() */
    struct message_project_addresses told; /* header all zero: on this link nothing yet */
};

/* What it works with, all of it the caller's. */
void bans_peer_prepare(struct bans_peer *peer, sd_event *event, struct ruleset *ruleset,
                       sd_event_source *reconcile_source);

/* Talks to the peer at the other end of `descriptor`, which is ours from now on, instead of an earlier one. */
void bans_peer_link(struct bans_peer *peer, int descriptor);
void bans_peer_close(struct bans_peer *peer);

/* After each successful ruleset_apply(). Also tells which addresses nobody should ban: the gateways', and the external
 * link's. */
void bans_peer_tell_applied(struct bans_peer *peer, const struct network *network);
