/*
 * The policy of the privileged side: which backends a desired state may name, whoever asks (DESIGN §1).
 *
 * Called by netadmin.c before anything is applied; pure, no privilege. The topology is pinned by the
 * supervisor, so a taken-over watcher can move ports between containers of the shared network and nothing else.
 */
#pragma once

#include "workers/netadmin/plan/map_state.h"

struct backend_policy {
    const struct wire_network *shared;        /* NULL under attach */
    const struct message_shared_links *links; /* under attach: a target lies in a network that one of them leads to */
    const struct ip_address *own;             /* every address that an interface of this namespace holds */
    size_t own_count;
};

/*
 * Every backend must be a host's address inside one of the shared network's subnets, and not the subnet's
 * network or broadcast address, its IPAM gateway, its auxiliary gateway, or an address of our own; at most
 * MAP_ELEMENTS_MAX elements, open and withheld together. Returns 0, or -EPERM / -E2BIG with `reason` filled: the state
 * is refused whole.
 */
int backend_policy_check(const struct backend_policy *policy, const struct desired_state *state,
                         char reason[REASON_SIZE]) __attribute__((warn_unused_result));

/*
 * Under attach a container may be known before its link is there, and after that has gone (HOST-4): appends to *ret,
 * which is clear, what of `offered` the policy allows now. `reason` says why the first of the others was left out, or
 * is empty. Returns 0 or -ENOMEM.
 */
int backend_policy_select(const struct backend_policy *policy, const struct desired_state *offered,
                          struct desired_state *ret, char reason[REASON_SIZE]) __attribute__((warn_unused_result));
