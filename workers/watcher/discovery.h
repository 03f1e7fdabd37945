/*
 * Finds out who and where we are: own container, external and shared network (ADDR-9, ADDR-10, DISC-4).
 *
 * Driven by watch.c, which asks Docker the questions that are open here; ends with a final TOPOLOGY. Logs its
 * decisions. Runs without any privilege.
 */
#pragma once

#include "workers/watcher/container_table.h"
#include "workers/watcher/external_advice.h"
#include "workers/watcher/topology.h"

struct discovery_callbacks {
    /*
     * All is known; `shared_id` is the shared network's ID. Called again while the choice is not final: with another
     * network, or when it becomes final (DISC-4).
     */
    void (*on_topology)(void *userdata, const struct message_topology *topology, const char *shared_id);
    /* discovery_external_advice() is another one now. */
    void (*on_advice)(void *userdata);
    /* The configuration cannot work; the reason was logged. */
    void (*on_fatal)(void *userdata);
    void *userdata;
};

struct discovery;

int discovery_new(const struct message_configure_watcher *configuration, const struct discovery_callbacks *callbacks,
                  struct discovery **ret) __attribute__((warn_unused_result));
struct discovery *discovery_free(struct discovery *discovery);
DEFINE_POINTER_CLEANUP(struct discovery, (void)discovery_free, discovery_freep);

bool discovery_is_done(const struct discovery *discovery);
/* A shared network is chosen, for good or until a backend is seen, and no other one is being looked at. */
bool discovery_is_settled(const struct discovery *discovery);
/* Shall discovery_advance() be called every second? Changes of the containers call for it anyway. */
bool discovery_needs_rounds(const struct discovery *discovery);

/* Must all containers be looked at? Then: begin, consider each one, end. */
bool discovery_needs_list(const struct discovery *discovery);
void discovery_begin_list(struct discovery *discovery);
void discovery_consider(struct discovery *discovery, const struct docker_container *container);
void discovery_end_list(struct discovery *discovery);

/* Something about our own container may have changed: look again. */
void discovery_look_again(struct discovery *discovery);
/* The networks of our own container; none while it is not known. */
const struct own_network *discovery_own_networks(const struct discovery *discovery, size_t *ret_count);
/* Is this our own container? */
bool discovery_is_own(const struct discovery *discovery, const char *container_id);

/* The network to inspect next and the record for it, or NULL. */
const char *discovery_needs_network(struct discovery *discovery, struct docker_network **ret_record);
void discovery_end_network(struct discovery *discovery);
/* The shared network as it was inspected; from on_topology() on. */
const struct docker_network *discovery_shared_network(const struct discovery *discovery);

/* What is wrong with the external network; of a network that Docker does not know, nothing. */
const struct external_advice *discovery_external_advice(const struct discovery *discovery);

/* netadmin's report of our links; to be followed by discovery_advance(). */
void discovery_set_links(struct discovery *discovery, const struct link_table *links);

/*
 * Goes as far as what is known allows. `table`: the backends, NULL before the first complete list. `version` is
 * the engine's, `is_round` says that a second has passed: rounds are counted.
 */
void discovery_advance(struct discovery *discovery, const struct container_table *table,
                       const struct docker_version *version, bool is_round);
