/*
 * The external interface's own addresses (ADDR-1, ADDR-2, NAT-9).
 *
 * Owned by network.c inside anchord-netadmin, with CAP_NET_ADMIN; lease_taking.c says what was leased. network.c keeps
 * the order of a turn: the routes are switched between external_addresses_add() and external_addresses_remove().
 *
 * From one address to the next (NAT-9), each step as soon as the one before it is seen in the kernel:
 *
 *     LEASE             lease_policy.c takes it, address_plan.c wants the new address beside the old one
 *     1 element         set `external`     on_changed() -> ruleset.c; network_view_applied() leads to 2
 *     2 address         ip address add     external_addresses_add(), may_add()
 *     3 gateway         in both tables     choose_in_force(), family_routes_apply(): once 2 can be used (IPv6: DAD)
 *     4 announcement    HELD               announcer_peer_tell(): in the same turn as 3
 *     5 egress          IPv6: snat to …    on_changed() -> ruleset.c; IPv4's masquerade takes the primary address
 *     6 old address     ip address del     external_addresses_remove(): HANDOVER_DELAY after 3, or in a hurry at once
 *     7 old element     and its flows      on_changed() -> ruleset.c -> conntrack.c
 *
 * Every step looks at the kernel only, so that a successor goes on wherever somebody died.
 */
#pragma once

#include "workers/netadmin/link/claimed_addresses.h"
#include "workers/netadmin/link/witness.h"
#include "workers/netadmin/plan/address_plan.h"

/* Those of one family, as far as they are ours to decide. */
struct family_addresses {
    struct address_plan plan; /* by the last reading */
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

/* What became of a lease that lease_taking_set() took. */
typedef void (*lease_applied_handler)(const struct message_lease_applied *answer, void *userdata);

struct external_addresses {
    struct network_ground *ground;
    const struct witness *witness;
    lease_applied_handler on_lease_applied;
    void *userdata;
    claim_permission may_take; /* of an address that was given (ADDR-13) */
    void *asked;               /* userdata of that */
    struct family_addresses families[FAMILY_INDEX_MAX_];
    struct ip_address installed[LINK_ADDRESSES_MAX]; /* what the set `external` holds (NAT-9) */
    size_t installed_count;
    sd_event_source *timer; /* CLOCK_BOOTTIME, network.c's: when time alone changes a plan */
};

/*
 * Makes the plan for a family and adds what it wants and the link lacks, each address when the set `external` has it
 * (NAT-9). To be called before the routes; *ret_has_other_routes: what is missing of those now, nobody took away.
 * Returns 0 or the first failure, reported.
 */
int external_addresses_add(struct external_addresses *addresses, size_t family_index, bool *ret_has_other_routes)
    __attribute__((warn_unused_result));

/* Before the routes are compared, which are in `table`: takes a predecessor's lease over from them until the supervisor
 * tells of it. Returns 0 or a failure, reported. */
int external_addresses_adopt(struct external_addresses *addresses, size_t family_index, uint32_t table)
    __attribute__((warn_unused_result));

/* Removes what the plans no longer want, after the routes were switched, and answers for leases. As above. */
int external_addresses_remove(struct external_addresses *addresses) __attribute__((warn_unused_result));

/* The ordered stop: no leased address stays, and Docker's is back where one took its place. Returns 0 or the first
 * failure, reported. */
int external_addresses_remove_leases(struct external_addresses *addresses) __attribute__((warn_unused_result));

/* Whether a plan wants an address that the set `external` lacks: the other half must be told. */
bool external_addresses_await_element(const struct external_addresses *addresses);

/* The link goes down, and its IPv6 addresses with it: nobody else removed them. */
void external_addresses_forget_serving(struct external_addresses *addresses);

/* Somebody else has `address`, says the kernel's duplicate address detection (IPv6), and has removed it again. Returns
 * whether that is to be told: of the first address of a lease the server hears instead. */
bool external_addresses_note_duplicate(struct external_addresses *addresses, const struct link_address *address);

/* The lease whose gateway and routes are used, or NULL. */
const struct lease *external_addresses_in_force(const struct external_addresses *addresses, uint8_t family);

/* Tells the supervisor what became of the last lease of a family: 0, or a negative errno and why. */
void external_addresses_answer(struct external_addresses *addresses, size_t family_index, int error,
                               const char *reason);
