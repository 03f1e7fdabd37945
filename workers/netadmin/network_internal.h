/*
 * The network half as a whole: its parts, each with a struct of its own, and what the files at its top share: network.c
 * (facade and events), network_apply.c (one turn), network_view.c and
 * network_describe.c (what others are told), network_problems.c (people). Of the parts, network_address.c,
 * network_lease.c, network_duplicate.c and network_inner.c are still handed the whole. Nobody else includes this.
 */
#pragma once

#include "workers/netadmin/announcer_peer.h"
#include "workers/netadmin/link/address_keeper.h"
#include "workers/netadmin/link/link_reports.h"
#include "workers/netadmin/link/network_ground.h"
#include "workers/netadmin/link/witness.h"
#include "workers/netadmin/network.h"
#include "workers/netadmin/plan/address_plan.h"
#include "workers/netadmin/route/family_routes.h"
#include "workers/netadmin/route/router_watch.h"
#include "workers/netlink/plan/links.h"
#include "workers/netlink/rtnetlink.h"

/* The external interface's addresses of one family, as far as they are ours to decide. */
struct family_addresses {
    struct known_lease lease;
    /* The lease as last given to the kernel, on link `written_index`, by number. */
    struct wanted_address written[LEASE_ADDRESSES_MAX];
    uint32_t written_index;
    uint64_t complete_since; /* CLOCK_BOOTTIME, microseconds: of the plan; 0 while it is not */
    bool has_in_force;
    struct lease in_force;    /* whose gateway and routes are used: of the address that serves */
    int failure;              /* of the last turn: why an address could not be added; or 0 */
    struct wire_lease judged; /* the last one, without its times: what is refused of it is said once */
    bool is_duplicate;        /* the kernel's detection found the lease's first address on the link */
    bool owes_answer;         /* LEASE_APPLIED, for the generation below */
    uint64_t generation;      /* of the last LEASE */
};

/* Addresses that something was said about, until they are gone; what a router can repeat under other names is said
 * again only at powers of two. */
struct reported_addresses {
    size_t count;
    struct ip_address addresses[LINK_ADDRESSES_MAX];
    uint64_t ever;
};

/* Links that something was said about, by their index. */
struct reported_links {
    size_t count;
    uint32_t indices[LINKS_MAX];
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
    struct witness witness;
    struct kept_addresses kept[2]; /* by enum device_side */
    struct family_state families[FAMILY_INDEX_MAX_];
    struct family_addresses addresses[FAMILY_INDEX_MAX_];
    struct address_plan plans[FAMILY_INDEX_MAX_];    /* by the last reading */
    struct ip_address installed[LINK_ADDRESSES_MAX]; /* what the set `external` holds (NAT-9) */
    size_t installed_count;
    sd_event_source *address_timer; /* CLOCK_BOOTTIME: when time alone changes a plan */
    struct announcer_peer announcer;
    struct link_reports reports;
    struct router_watch routers;
    uint64_t trespassers;              /* routes of route_table_remove_trespassers(), ever */
    struct reported_addresses refused; /* by network_external_without_inner() */
    struct reported_addresses overlapping;
    size_t inner_left_out[FAMILY_INDEX_MAX_];        /* inner prefixes beyond those that are guarded, as last said */
    struct reported_links overfull;                  /* inner ones, with more addresses than are looked at */
    size_t links_left_out;                           /* links beyond those that are looked at, as last said */
    struct duplicate duplicates[LINK_ADDRESSES_MAX]; /* that somebody else on the LAN has; the newest last */
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

/* Tells the supervisor what became of the last lease of a family: 0, or a negative errno and why. */
void network_answer_lease(struct network *network, size_t family_index, int error, const char *reason);

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

/* --- network_inner.c ----------------------------------------------------------------------------------- */

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

/* Addresses that were refused, a LAN that contains an inner network, more of those than can be guarded: each once. */
void network_report_inner(struct network *network);

/* --- network_duplicate.c ------------------------------------------------------------------------------ */

/* Somebody else has `address`, which the kernel has removed or does not use: said once, with the holder's MAC if the
 * announcer finds it. */
void network_report_duplicate(struct network *network, const struct network_link *link,
                              const struct ip_address *address);

/* Nobody wants `address` any more. */
void network_forget_duplicate(struct network *network, const struct ip_address *address);

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
