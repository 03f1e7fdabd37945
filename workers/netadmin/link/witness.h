/*
 * What the kernel bears out of the topology (WALL-5): what Docker gave the external link, and which subnets the shared
 * one has.
 *
 * Owned by network.c inside anchord-netadmin; no privilege: it looks at links and addresses as they were read.
 */
#pragma once

#include "workers/netadmin/link/network_ground.h"

/* What the external link had of its own in one family. */
struct own_witness {
    struct link_address address; /* of no family: nothing yet */
    bool has_recalled;           /* what a predecessor witnessed */
    bool has_reported;
};

struct witness {
    struct own_witness own[FAMILY_INDEX_MAX_];
    struct wire_network shared_believed; /* the topology's, with the subnets that are borne out alone */
    uint32_t believed_index;             /* of the link that bears them out */
    bool is_borne_out[SUBNETS_MAX];      /* the topology's subnets */
    bool has_reported_subnet[SUBNETS_MAX];
};

/* Another topology: nothing of its subnets is known. */
void witness_begin(struct witness *witness);

/* Looks what of the topology the links bear out, before anything is changed there. */
void witness_look(struct witness *witness, const struct network_ground *ground);

/* What Docker gave the external interface, as the kernel had it; of no family when that is not known. */
struct link_address witness_bootstrap(const struct witness *witness, const struct network_ground *ground,
                                      uint8_t family);
