/*
 * The links of one identity: its macvlan on the parent, a pair to each Docker bridge; made, followed, undone (HOST-2,
 * HOST-8).
 *
 * Owned by links.c in anchord-links. Level-triggered: each turn reads what the kernel has, on the host and in the
 * identity, and makes the difference. Which bridges there may be is decided here, not by who asks: Docker's own name of
 * the network whose ID was told, or one of those that are pinned. The links are made down in the identity: what
 * closes that namespace brings them up.
 */
#pragma once

#include "workers/links/guard.h"
#include "workers/links/host_routes.h"

/* What became of a link; `error` is 0 or a negative errno. */
struct link_outcome {
    char network_id[CONTAINER_ID_SIZE]; /* empty: the macvlan */
    char name[INTERFACE_NAME_SIZE];     /* in the identity; empty with an error */
    int error;
    char reason[REASON_SIZE];
};

struct identity_links {
    struct message_configure_links configuration;
    struct rtnetlink *host;
    struct rtnetlink *identity; /* NULL until there is one */
    int namespace;              /* of the identity; -1: none */
    struct message_bridges bridges;
    struct link_snapshot seen_host, seen_identity;
    struct address_snapshot addresses; /* the host's */
    size_t left_out;                   /* of those, as last said */
    struct host_routes routes;
    struct guard guard;
    /* What stands behind a turn, for the identity; of the host also without one. */
    struct message_shared_links shared;
    struct message_host_addresses host_addresses;
    struct message_bridges closed;                 /* those of `bridges` that the guard names */
    struct link_outcome outcomes[BRIDGES_MAX + 1]; /* the macvlan's, then those of the bridges */
    size_t outcome_count;
};

/* One turn: `outcomes` tells what became of each. Without an identity no link is touched, but the guard is.
 * Returns 0, or a negative errno when nothing could be read. */
int identity_links_apply(struct identity_links *links) __attribute__((warn_unused_result));

/* After a boot, before anybody tells what is on which network: the guard closes the networks that it closed before
 * (HOST-6). Where it stands still, or something was told, nothing happens. */
void identity_links_remember(struct identity_links *links, const struct message_bridges *remembered);

/* Removes what is this project's, also what an earlier process made. Goes on after an error; returns the first. */
int identity_links_undo(struct identity_links *links) __attribute__((warn_unused_result));
