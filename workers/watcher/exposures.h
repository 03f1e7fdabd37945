/*
 * Which container gets which port: from the containers in scope to the desired state of the maps (NAT-1, 5, 6, 7).
 *
 * Called by reconcile.c after each change. Pure but for its memory of who held which port; runs without any
 * privilege. The cost grows with the number of ports claimed, not with Docker's JSON. A fuzz target.
 *
 * NAT-6: a port that two containers claim stays with the one that has it; a free one goes to the container created
 * first, ties by ID. What "has it" means comes from the last computation, or at first from netadmin's map.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/expose_label.h"
#include "protocol/guest_list.h"
#include "protocol/messages.h"

#include <stdbool.h>

/* A container with its addresses on the shared network. */
struct exposure_source {
    uint32_t serial; /* names the container for ever; never 0, never used again for another one */
    uint64_t created;
    const char *id;
    struct ip_address address4; /* family none: no entry in that family (NAT-7) */
    struct ip_address address6;
    bool is_withheld; /* it keeps its ports, but nothing new goes there (DISC-7) */
    const struct expose_range *ranges;
    size_t range_count;
    const struct guest_list *guests; /* whom its ports answer, and how often; NULL: everybody */
};

/* `refused` claims ports that `holder` has. */
struct exposure_conflict {
    uint32_t refused;
    uint32_t holder;
    uint8_t protocol;
    uint16_t port_first;
    uint16_t port_last;
};

/* Ports that a container has, in both families at once: what people read. */
struct exposure_grant {
    const struct exposure_source *source;
    uint8_t protocol;
    uint16_t port_first;
    uint16_t port_last;
    uint16_t backend_port_first;
    uint8_t missing_families; /* as of struct expose_range */
};

/* Valid until the next computation, whether that succeeds or not. */
struct exposure_result {
    const struct wire_exposure *items; /* sorted by family, protocol, port */
    size_t item_count;
    const struct exposure_grant *grants; /* of the oldest container first */
    size_t grant_count;
    const struct exposure_conflict *conflicts; /* sorted by all their fields */
    size_t conflict_count;
    const uint32_t *over_limit; /* serials of the containers left out: the maps would exceed MAP_ELEMENTS_MAX */
    size_t over_limit_count;
    size_t backend_count; /* containers that have at least one entry */
};

struct exposures;

int exposures_new(struct exposures **ret) __attribute__((warn_unused_result));
struct exposures *exposures_free(struct exposures *exposures);
DEFINE_POINTER_CLEANUP(struct exposures, (void)exposures_free, exposures_freep);

/*
 * Before the first computation: the containers that these map entries lead to hold those ports (NAT-6). Of several in
 * one network namespace (DISC-5) it is the one whose entries they are by backend port, families and access; where two
 * would have just the same entries, the older one. `sources` are those that exposures_compute() will be given. Returns
 * 0 or -ENOMEM.
 */
int exposures_adopt(struct exposures *exposures, const struct wire_exposure *map, size_t map_count,
                    const struct exposure_source *sources, size_t source_count) __attribute__((warn_unused_result));

/*
 * Computes the desired state. Returns 0, or -ENOMEM without a result: who held which port before still holds it, and
 * the next computation may succeed.
 */
int exposures_compute(struct exposures *exposures, const struct exposure_source *sources, size_t source_count,
                      struct exposure_result *ret) __attribute__((warn_unused_result));

/* Only people want the grants: whether the next computations leave them out, and their room is given back. The room for
 * the rest is kept, since the next event needs it at once. */
void exposures_leave_out_grants(struct exposures *exposures, bool are_left_out);
