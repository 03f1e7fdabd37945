/*
 * What the parts of the network half share: network.c (facade and events), network_apply.c (the kernel brought
 * to what is wanted), network_address.c (the external interface's addresses), network_lease.c (leases taken),
 * network_inner.c (what the LAN must not name), network_view.c (what the ruleset needs), network_neighbours.c (backends
 * that are others now), network_witness.c (what of the topology is true), network_routers.c (which routers answer),
 * network_announce.c (the announcer), network_report.c (what is said about it). Nobody else includes this.
 */
#pragma once

#include "workers/netadmin/announcer_peer.h"
#include "workers/netadmin/link/address_keeper.h"
#include "workers/netadmin/link/network_ground.h"
#include "workers/netadmin/network.h"
#include "workers/netadmin/plan/address_plan.h"
#include "workers/netadmin/plan/gateway_choice.h"
#include "workers/netadmin/plan/inner_prefixes.h"
#include "workers/netadmin/plan/links.h"
#include "workers/netadmin/route/router_watch.h"
#include "workers/netlink/rtnetlink.h"

/* The external interface's addresses of one family, as far as they are ours to decide. */
struct family_addresses {
    struct link_address witnessed; /* what the link had of its own (network_witness.c); of no family: nothing yet */
    bool has_recalled;             /* what a predecessor witnessed */
    bool has_reported_own;
    struct known_lease lease;
    struct wanted_address written; /* the lease as last given to the kernel, on link `written_index` */
    uint32_t written_index;
    uint64_t complete_since; /* CLOCK_BOOTTIME, microseconds: of the plan; 0 while it is not */
    bool has_in_force;
    struct lease in_force;    /* whose gateway and routes are used: of the address that serves */
    int failure;              /* of the last turn: why an address could not be added; or 0 */
    struct wire_lease judged; /* the last one, without its times: what is refused of it is said once */
    bool is_duplicate;        /* the kernel's detection found the leased address on the link */
    bool owes_answer;         /* LEASE_APPLIED, for the generation below */
    uint64_t generation;      /* of the last LEASE */
};

/* Default route and rules of one family. */
struct family_state {
    uint8_t family;
    struct ip_address pin;
    struct gateway_answers answers; /* of a service-anchor: the last good ones; count 0 until the first */
    bool reported_several;
    bool is_absent; /* this kernel does not have the family */
    uint32_t table; /* that our routes are in: our own or main; 0 until the kernel was asked */
    bool reported_shadowing;
    bool is_known; /* the two below were decided once */
    struct gateway_choice choice;
    uint32_t link_index;                           /* of the external link when it is there and up, else 0 */
    bool is_settled;                               /* the kernel had all that is wanted after the last comparison */
    struct inner_prefix inner[INNER_PREFIXES_MAX]; /* as last brought to table 24943 */
    size_t inner_count;
    struct ip_address remembered; /* there */
};

/* Addresses that something was said about, until they are gone; what a router can repeat under other names is said
 * again only at powers of two. */
struct reported_addresses {
    size_t count;
    struct ip_address addresses[LINK_ADDRESSES_MAX];
    uint64_t ever;
};

/* An address that another host has. */
struct duplicate {
    struct ip_address address;
    struct mac_address holder; /* zero: not known */
};

struct network {
    struct network_callbacks callbacks;
    struct network_ground ground;
    struct mnl_socket *monitor;
    sd_event_source *monitor_source;
    sd_event_source *timer_source; /* next reading without a notification: a lifetime or a retry */
    unsigned int retries;          /* since something failed last */
    bool is_stale;                 /* a notification said so */
    bool claims_gateway;
    struct wire_network shared_believed; /* the topology's, with the subnets that are borne out alone */
    uint32_t believed_index;             /* of the link that bears them out */
    bool is_borne_out[SUBNETS_MAX];      /* the topology's subnets */
    bool has_reported_subnet[SUBNETS_MAX];
    struct kept_addresses kept[2]; /* by enum device_side */
    struct family_state families[FAMILY_INDEX_MAX_];
    struct family_addresses addresses[FAMILY_INDEX_MAX_];
    struct address_plan plans[FAMILY_INDEX_MAX_];    /* by the last reading */
    struct ip_address installed[LINK_ADDRESSES_MAX]; /* what the set `external` holds (NAT-9) */
    size_t installed_count;
    sd_event_source *address_timer; /* CLOCK_BOOTTIME: when time alone changes a plan */
    struct announcer_peer announcer;
    uint32_t reported_index[2]; /* by enum device_side: as last said in the log */
    bool reported_missing[2];
    bool reported_left_out[2]; /* by enum device_side */
    bool reported_forwarding6;
    struct router_watch routers;
    uint64_t trespassers;              /* routes of route_table_remove_trespassers(), ever */
    struct reported_addresses refused; /* by network_external_without_inner() */
    struct reported_addresses overlapping;
    struct duplicate duplicates[LINK_ADDRESSES_MAX]; /* that somebody else on the LAN has */
    size_t duplicate_count;
};

/* Reads, compares and applies once more: something changed that no notification tells. Returns 0 or the first
 * failure, which is reported and tried again. */
int network_refresh(struct network *network);

/* --- network_address.c -------------------------------------------------------------------------------- */

/*
 * Makes the plans for both families and adds what they want and the link lacks, each address when the set `external`
 * has it (NAT-9). To be called before the routes. Returns 0 or the first failure, reported.
 */
int network_add_addresses(struct network *network) __attribute__((warn_unused_result));

/* Before the routes are compared, whose table is known: takes a predecessor's lease over from them until the supervisor
 * tells of it. Returns 0 or a failure, reported. */
int network_adopt_lease(struct network *network, const struct family_state *family) __attribute__((warn_unused_result));

/* Removes what the plans no longer want, after the routes were switched, and answers for leases. As above. */
int network_remove_addresses(struct network *network) __attribute__((warn_unused_result));

/* The ordered stop: no leased address stays, and Docker's is back where one took its place. Returns 0 or the first
 * failure, reported. */
int network_remove_leases(struct network *network) __attribute__((warn_unused_result));

/* Whether a plan wants an address that the set `external` lacks: the other half must be told. */
bool network_awaits_element(const struct network *network);

/* The link goes down, and its IPv6 addresses with it: nobody else removed them. */
void network_forget_serving(struct network *network);

/* Somebody else has `address`, says the kernel's duplicate address detection (IPv6), and has removed it again. */
void network_note_duplicate(struct network *network, const struct network_link *link,
                            const struct link_address *address);

/* The lease whose gateway and routes are used, or NULL. */
const struct lease *network_lease_in_force(const struct network *network, uint8_t family);

/* --- network_witness.c --------------------------------------------------------------------------------- */

/* Looks what of the topology the links bear out (WALL-5), before anything is changed there. Returns 0 or the first
 * failure, reported: nothing may be changed then. */
int network_witness(struct network *network) __attribute__((warn_unused_result));

/* What Docker gave the external interface, as the kernel had it; of no family when that is not known. */
struct link_address network_bootstrap_address(const struct network *network, uint8_t family);

/* --- network_inner.c ----------------------------------------------------------------------------------- */

/*
 * Brings table 24943 of one family to the inner subnets (WALL-2). Returns 0 or the failure, reported.
 */
int network_apply_inner(struct network *network, struct family_state *family) __attribute__((warn_unused_result));

/* The external link without what a lease or a router put inside of an inner network: such an address serves nobody, is
 * announced to nobody and no source. */
struct network_link network_external_without_inner(const struct network *network, const struct network_link *external);

/* The network of another link that `address` of the external link lies in, in *ret, and that link; NULL when it lies in
 * none, or Docker gave it. */
const struct network_link *network_find_inner_around(const struct network *network, const struct ip_address *address,
                                                     struct ip_subnet *ret);

/* As above the one that the subnet of `address`, in *ret_lan, contains, while it lies in none. */
const struct network_link *network_find_inner_within(const struct network *network, const struct link_address *address,
                                                     struct ip_subnet *ret_lan, struct ip_subnet *ret);

/* A network that was connected after the lease came may hold the leased address now: it is given up. */
void network_refuse_inner_leases(struct network *network);

/* Addresses that were refused, and a LAN that contains an inner network: each once. */
void network_report_inner(struct network *network);

/* --- network_duplicate.c ------------------------------------------------------------------------------ */

/* Somebody else has `address`, which the kernel has removed or does not use: said once, with the holder's MAC if the
 * announcer finds it. */
void network_report_duplicate(struct network *network, const struct network_link *link,
                              const struct ip_address *address);

/* The announcer's answer about any address: says who has a duplicate. */
void network_report_duplicate_holder(struct network *network, const struct message_probed *answer);

/* Those that the last reading shows, and those that can be used after all. */
void network_look_for_duplicates(struct network *network, const struct network_link *link);

/* --- network_problems.c ------------------------------------------------------------------------------- */

/* Fills in what the LAN keeps from working now, for people to read; *ret must be zero. */
void network_describe_problems(const struct network *network, char ret[NETWORK_PROBLEMS_MAX][REASON_SIZE]);

/* --- network_apply.c ---------------------------------------------------------------------------------- */

/*
 * Brings settings, claimed addresses, routes and rules to what topology and links ask for. Returns 0 or the
 * first failure; every failure is reported. *ret_lifetime is the shortest lifetime in seconds of what was
 * mirrored, 0 without one.
 */
int network_apply(struct network *network, uint32_t *ret_lifetime) __attribute__((warn_unused_result));

/*
 * Takes over the decision for one family and brings its routes and rules there: a default route through `link`, or only
 * `unreachable` when that is NULL or down. Returns 0 or the first failure, reported.
 */
int network_apply_family(struct network *network, struct family_state *family, const struct network_link *link,
                         const struct gateway_choice *choice) __attribute__((warn_unused_result));

/* Which table the family's routes are in, asked of the kernel once. Returns 0 or a failure, reported. */
int network_choose_table(struct network *network, struct family_state *family) __attribute__((warn_unused_result));

/* Removes rules and routes of one family. Returns 0 or the first failure, reported. */
int network_remove_family(struct network *network, struct family_state *family) __attribute__((warn_unused_result));

/* --- network_service.c -------------------------------------------------------------------------------- */

/* As network_apply() in a service-anchor: routes and rules of the families whose gateway is known, nothing else. */
int network_apply_service(struct network *network) __attribute__((warn_unused_result));

/* The gateway of a service-anchor's family, or why there is none. */
void network_report_service_gateway(const struct family_state *family, const struct network_link *link);

/* --- network_report.c --------------------------------------------------------------------------------- */

/* Interfaces found or lost, IPv6 forwarding that only Compose can switch on; each once. */
void network_report_links(struct network *network);

/* The gateways of a family, or that there is none and why. */
void network_report_gateway(const struct family_state *family, const struct network_link *external);
