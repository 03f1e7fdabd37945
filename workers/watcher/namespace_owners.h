/*
 * The containers whose network namespace others have joined (`network_mode: container:X`, `service:`): a labelled
 * container among those others is reached at X's addresses (DISC-5).
 *
 * Filled by watch_scope.c from Docker's answers. X needs no label and may belong to another project: of one that is not
 * in scope only its places on our own networks are asked for (WALL-7). In memory only; no privilege.
 */
#pragma once

#include "workers/watcher/container_table.h"

struct namespace_owners {
    struct namespace_owner *owners; /* by ID */
};

void namespace_owners_release(struct namespace_owners *owners);

/*
 * Gives every joined container of the table its owner's endpoints, through chains; none while the owner is not known
 * or does not run. Forgets owners that nobody has joined. Returns 0 or -ENOMEM.
 */
int namespace_owners_resolve(struct namespace_owners *owners, struct container_table *table)
    __attribute__((warn_unused_result));

/* Those that Docker has to be asked about, at most `capacity`. They point into the table. Returns how many. */
size_t namespace_owners_unknown(const struct namespace_owners *owners, const char *ids[], size_t capacity);

/* Is this container one of them? Then its events matter. */
bool namespace_owners_contain(const struct namespace_owners *owners, const char *id);

/* All of them have to be asked about again. */
void namespace_owners_doubt(struct namespace_owners *owners);

/* Starts a pass over Docker's answer about the containers `ids`, among them owners. */
void namespace_owners_begin_pass(struct namespace_owners *owners, const char *const *ids, size_t count);
/* Docker's answer; ignored when it is none of them. Returns 0 or -ENOMEM. */
int namespace_owners_put(struct namespace_owners *owners, const struct docker_container *container)
    __attribute__((warn_unused_result));
/*
 * The answer was complete. Who was asked for and did not come does not run; or, when the answer was that of the scope
 * alone, it is to be searched for on our own networks.
 */
void namespace_owners_end_pass(struct namespace_owners *owners, bool is_of_scope);

/* Begins a search for those, unless there is none. Then: each of our networks' containers, and the end. */
bool namespace_owners_begin_search(struct namespace_owners *owners);
/* Somebody on the network `network_id`; ignored when it is none of them. Returns 0 or -ENOMEM. */
int namespace_owners_put_attached(struct namespace_owners *owners, const char *network_id,
                                  const struct docker_attached *attached) __attribute__((warn_unused_result));
/* Who was not found does not run, or is on none of our networks. */
void namespace_owners_end_search(struct namespace_owners *owners);
