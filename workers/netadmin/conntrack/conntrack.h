/*
 * Drops the flows that a change of the maps or of our addresses has made stale (NAT-4), and no others.
 *
 * Called by ruleset.c after a transaction was committed, inside anchord-netadmin with CAP_NET_ADMIN, through
 * the request socket.
 */
#pragma once

#include "workers/netadmin/nft/nfnl_socket.h"
#include "workers/netadmin/plan/map_difference.h"
#include "workers/netadmin/plan/network_view.h"

/* One element that came or went. */
struct conntrack_change {
    uint8_t family_index;
    uint8_t protocol_index;
    bool is_added;
    struct map_element element;
};

/* Of addresses that are given up between two sweeps; each flow is compared with all of them. */
#define GIVEN_UP_MAX 1024

/* A set: noting the same twice takes no more memory for long. */
struct conntrack_changes {
    struct conntrack_change *items;
    size_t count;
    size_t capacity;
    /* External addresses that we no longer have. */
    struct ip_address *given_up;
    size_t given_up_count;
    size_t given_up_capacity;
    bool are_guests_others; /* the lists are not what they were (GUEST-1) */
};

void conntrack_changes_clear(struct conntrack_changes *changes);
/* Notes what concerns flows in a difference. Returns 0 or -ENOMEM. */
int conntrack_changes_add(struct conntrack_changes *changes, const struct map_state_difference *difference)
    __attribute__((warn_unused_result));
/* The same of what is withheld: TCP connections to it stay until it goes altogether (DISC-7). */
int conntrack_changes_add_withheld(struct conntrack_changes *changes, const struct map_state_difference *difference)
    __attribute__((warn_unused_result));
/* Notes an address that was given up. Returns 0, or -ENOMEM, also for more than GIVEN_UP_MAX. */
int conntrack_changes_give_up(struct conntrack_changes *changes, const struct ip_address *address)
    __attribute__((warn_unused_result));

/*
 * Deletes, with one dump per family concerned:
 *  - flows that our maps sent to a backend that an element no longer names; TCP only if that is not withheld either;
 *  - UDP flows to a port of an external address that were pinned to no backend before its element came;
 *  - flows to, or translated to come from, an external address that was given up.
 * When the lists changed, marks flows from outside that one refuses now, which ends them, and lets those be that none
 * refuses any more. Deleted, they would begin anew as egress with the backend's next packet.
 * `current` (sorted) and `external` are what holds now: a flow that is right by them stays, so that a later
 * sweep with the same changes is harmless. Adds what was deleted or marked to flushed[FAMILY_INDEX_…].
 * Returns 0, or a negative errno with *failure filled: the other family's flows were dropped all the same.
 */
int conntrack_sweep(struct nfnl_socket *socket, struct conntrack_changes *changes, const struct desired_state *current,
                    const struct ip_address *external, size_t external_count, uint32_t flushed[FAMILY_INDEX_MAX_],
                    struct nft_failure *failure) __attribute__((warn_unused_result));
