/*
 * What the parts of the network half share: network.c (facade and events), network_apply.c (the kernel brought
 * to what is wanted), network_address.c (the external interface's addresses), network_lease.c (leases taken),
 * network_inner.c (what the LAN must not name), network_view.c (what the ruleset needs), network_neighbours.c (backends
 * that are others now), network_witness.c (what of the topology is true), network_routers.c (which routers answer),
 * network_announce.c (the announcer), network_report.c (what is said about it). Nobody else includes this.
 */
#pragma once

#include "workers/netadmin/link/address_keeper.h"
#include "workers/netadmin/network.h"
#include "workers/netadmin/plan/address_plan.h"
#include "workers/netadmin/plan/gateway_choice.h"
#include "workers/netadmin/plan/gateway_probe.h"
#include "workers/netadmin/plan/inner_prefixes.h"
#include "workers/netadmin/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/* Places that can fail each for themselves; a failure is said once, until the place works or fails otherwise. */
enum network_step {
    NETWORK_STEP_LINKS,
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
    NETWORK_STEP_ROUTES4,
    NETWORK_STEP_ROUTES6,
    NETWORK_STEP_RULES4,
    NETWORK_STEP_RULES6,
    NETWORK_STEP_MAX_,
};

#define FAILURE_TEXT_SIZE 384

/* Of external and shared link. */
#define HELD_ADDRESSES_MAX (2 * LINK_ADDRESSES_MAX)

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

/* Of several advertised routers: who does not answer any more. */
struct router_watch {
    struct mnl_socket *monitor; /* of neighbours; its source is on while there are several routers */
    sd_event_source *source;
    bool is_following;
    struct ip_address silent[ROUTERS_READ_MAX];
    size_t silent_count;
    uint64_t probe_at; /* CLOCK_MONOTONIC, microseconds: when they are asked again */
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

/* What each router on the external link said last, as the announcer read it. */
struct advertised_network {
    struct ip_address router;
    uint32_t longest_route; /* prefix length of its most specific route information; 0: none */
    struct ip_subnet prefixes[ADVERTISED_PREFIXES_MAX];
    size_t prefix_count;
};

struct network {
    struct network_callbacks callbacks;
    enum anchor_role role; /* 0 until the configuration has come */
    struct rtnetlink *rtnetlink;
    struct mnl_socket *monitor;
    sd_event_source *monitor_source;
    sd_event_source *timer_source; /* next reading without a notification: a lifetime or a retry */
    unsigned int retries;          /* since something failed last */
    bool is_stale;                 /* a notification said so */
    bool claims_gateway;
    bool has_topology;
    struct message_topology topology;
    struct wire_network shared_believed; /* the topology's, with the subnets that are borne out alone */
    uint32_t believed_index;             /* of the link that bears them out */
    bool is_borne_out[SUBNETS_MAX];      /* the topology's subnets */
    bool has_reported_subnet[SUBNETS_MAX];
    struct link_table links;
    struct kept_addresses kept[2]; /* by enum device_side */
    struct family_state families[FAMILY_INDEX_MAX_];
    enum address_mode address_mode;
    struct family_addresses addresses[FAMILY_INDEX_MAX_];
    struct address_plan plans[FAMILY_INDEX_MAX_];    /* by the last reading */
    struct ip_address installed[LINK_ADDRESSES_MAX]; /* what the set `external` holds (NAT-9) */
    size_t installed_count;
    sd_event_source *address_timer; /* CLOCK_BOOTTIME: when time alone changes a plan */
    struct channel *announcer;      /* NULL while there is none */
    sd_event_source *probe_timer;   /* no answer came, or time to ask again */
    struct gateway_probes probes;
    struct wire_held held[HELD_ADDRESSES_MAX]; /* as last sent */
    size_t held_count;
    uint64_t held_generation;
    uint32_t reported_index[2]; /* by enum device_side: as last said in the log */
    bool reported_missing[2];
    bool reported_left_out[2]; /* by enum device_side */
    bool reported_forwarding6;
    bool reported_routes6; /* that routers advertise and the kernel does not take */
    struct router_watch router_watch;
    uint64_t trespassers;              /* routes of route_table_remove_trespassers(), ever */
    struct reported_addresses refused; /* by network_external_without_inner() */
    struct reported_addresses overlapping;
    struct duplicate duplicates[LINK_ADDRESSES_MAX]; /* that somebody else on the LAN has */
    size_t duplicate_count;
    struct advertised_network advertised[ADVERTISERS_MAX];
    size_t advertised_count;
    size_t advertised_oldest; /* the next to be replaced when they are too many */
    char failures[NETWORK_STEP_MAX_][FAILURE_TEXT_SIZE];
};

/* The external or shared link, or NULL while it is not there or there is no topology. */
const struct network_link *network_find_link(const struct network *network, enum device_side side);

/* Reads, compares and applies once more: something changed that no notification tells. Returns 0 or the first
 * failure, which is reported and tried again. */
int network_refresh(struct network *network);

/* What the announcer read in a router's advertisement: the egress address may be another. */
void network_handle_advertised(struct network *network, const struct message_advertised *advertised);

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

/* --- network_announce.c ------------------------------------------------------------------------------- */

/* Sends HELD to the announcer when it differs from the last one or `must_send`; after each reading of the links. */
void network_announce(struct network *network, bool must_send);

/* Asks the announcer who has `address` on `link`; network_report_duplicate_holder() hears the answer. */
void network_ask_for_holder(struct network *network, const struct network_link *link, const struct ip_address *address);

/*
 * A claim_permission (claimed_addresses.h) with the network as userdata: whether `address`, which we do not hold, may
 * be added to `link` now (GW-1). False: the announcer was asked, or somebody else has it; then network_refresh()
 * comes by itself.
 */
bool network_may_claim(const struct network_link *link, const struct ip_address *address, void *userdata);

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

/* --- network_routers.c -------------------------------------------------------------------------------- */

/*
 * Fills is_silent of `routers` by what the kernel's neighbour detection found, follows it while there are several, and
 * has the silent ones asked once a minute. Returns 0 or a failure, reported.
 */
int network_watch_routers(struct network *network, const struct network_link *external, struct gateway *routers,
                          size_t count);

/* Opens what router_watch needs, before the sandbox is sealed. Returns 0 or a negative errno. */
int network_open_router_watch(struct network *network, sd_event *event) __attribute__((warn_unused_result));
void network_close_router_watch(struct network *network);

/* Whether the kernel does not take a route of `length` that a router advertises (RFC 4191 §2.3). */
bool network_ignores_route(const struct network_link *external, uint32_t length);

/* Takes over what a router said. Returns whether it is one of the external link, so that it may count. */
bool network_note_advertised(struct network *network, const struct message_advertised *advertised);

/* What the router in use advertised last, or NULL: nobody told, or no advertised router is used. */
const struct advertised_network *network_find_advertised(const struct network *network);

/* CLOCK_MONOTONIC, microseconds; UINT64_MAX without a silent router. */
uint64_t network_next_router_probe(const struct network *network);

/* --- network_service.c -------------------------------------------------------------------------------- */

/* As network_apply() in a service-anchor: routes and rules of the families whose gateway is known, nothing else. */
int network_apply_service(struct network *network) __attribute__((warn_unused_result));

/* The gateway of a service-anchor's family, or why there is none. */
void network_report_service_gateway(const struct family_state *family, const struct network_link *link);

/* --- network_report.c --------------------------------------------------------------------------------- */

/* A result < 0 is an error in the log, once; >= 0 forgets the one before. Returns `result`. */
int network_report_result(struct network *network, enum network_step step, const struct rtnetlink_request *request,
                          int result);

/* Interfaces found or lost, IPv6 forwarding that only Compose can switch on; each once. */
void network_report_links(struct network *network);

/* The gateways of a family, or that there is none and why. */
void network_report_gateway(const struct family_state *family, const struct network_link *external);
