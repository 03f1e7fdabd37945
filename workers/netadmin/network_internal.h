/*
 * The network half as a whole: its parts, each with a struct of its own and handed that alone. What composes them is at
 * the top and gets the whole: network.c (facade and events), network_apply.c (one turn), network_view.c and
 * network_describe.c (what others are told). Nobody else includes this.
 */
#pragma once

#include "workers/netadmin/address/duplicates.h"
#include "workers/netadmin/address/external_addresses.h"
#include "workers/netadmin/address/inner_guard.h"
#include "workers/netadmin/announcer_peer.h"
#include "workers/netadmin/link/address_keeper.h"
#include "workers/netadmin/link/network_ground.h"
#include "workers/netadmin/network.h"
#include "workers/netadmin/route/family_routes.h"
#include "workers/netadmin/route/router_watch.h"
#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

struct network {
    struct network_callbacks callbacks;
    struct network_ground ground;
    struct mnl_socket *monitor;
    sd_event_source *monitor_source;
    sd_event_source *timer_source; /* next reading without a notification: a lifetime or a retry */
    unsigned int retries;          /* since something failed last */
    bool is_stale;                 /* a notification said so */
    bool claims_gateway;
    struct witness witness;
    struct kept_addresses kept[2]; /* by enum device_side */
    struct family_state families[FAMILY_INDEX_MAX_];
    struct external_addresses addresses;
    struct announcer_peer announcer;
    bool lacks_forwarding6;
    struct router_watch routers;
    uint64_t trespassers; /* routes of route_table_remove_trespassers(), ever */
    struct inner_guard guard;
    struct duplicates duplicates;
};

/* Reads, compares and applies once more: something changed that no notification tells. Returns 0 or the first
 * failure, which is reported and tried again. */
int network_refresh(struct network *network);

/* --- network_problems.c ------------------------------------------------------------------------------- */

/* What is told of, as the parts know it. */
struct problem_sources {
    bool lacks_forwarding6;
    const struct duplicates *duplicates;
    const struct duplicates *contested;
    const struct router_watch *routers;
    const struct inner_guard *guard;
};

/* Fills in what does not work now; of *ret that must be zero. */
void network_problems_list(const struct problem_sources *sources, struct message_network_report *ret);

/* --- network_apply.c ---------------------------------------------------------------------------------- */

/* Somebody else has `address` of `link`, says the kernel: told, and the announcer is asked who, once. */
void network_note_duplicate(struct network *network, const struct network_link *link,
                            const struct link_address *address);

/*
 * Brings settings, claimed addresses, routes and rules to what topology and links ask for. Returns 0 or the
 * first failure; every failure is reported. *ret_lifetime is the shortest lifetime in seconds of what was
 * mirrored, 0 without one.
 */
int network_apply(struct network *network, uint32_t *ret_lifetime) __attribute__((warn_unused_result));
