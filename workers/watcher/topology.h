/*
 * Which of our networks is the external one and which the shared one (ADDR-9, DISC-4).
 *
 * Called by discovery.c. Pure; runs without any privilege.
 */
#pragma once

#include "workers/watcher/own_container.h"

/* Names of networks for an error text: "dmz, transit". */
#define NETWORK_NAMES_SIZE 512

struct topology_external {
    struct mac_address mac;
    char interface[INTERFACE_NAME_SIZE];
    int network; /* index in own_container.networks; -1: the interface belongs to no Docker network */
};

/*
 * Finds the external interface: by the network's name through the endpoint's MAC, or without a name by the
 * interface's. Returns 0, or -ENOENT (not attached yet, or the link has not come yet).
 */
int topology_find_external(const struct message_configure_watcher *configuration, const struct own_container *own,
                           const struct link_table *links, struct topology_external *ret)
    __attribute__((warn_unused_result));

/* May the own network `index` be the shared one? Ours, not the external one, and its link is there. */
bool topology_is_candidate(const struct own_container *own, const struct topology_external *external,
                           const struct link_table *links, size_t index);

/*
 * Chooses among the candidates; `backends[i]` counts the backends on own network i. With `pinned` (not empty) only
 * the network of that name counts; otherwise most backends, then a name with "transit" in it, then the alphabet.
 * Returns the index of the own network, or -ENOENT.
 */
int topology_choose_shared(const struct own_container *own, const struct topology_external *external,
                           const struct link_table *links, const char *pinned, const size_t *backends)
    __attribute__((warn_unused_result));

/*
 * Names the address of the host's bridge where Docker's configuration does not but has an IPRange: it is the first of
 * that, the range's network address too (measured, 20.10.24 and 28.5.2). Without a range it is the subnet's first, as
 * netadmin knows. Of a macvlan network no bridge has it, and a gateway that is not configured is none.
 */
void topology_work_out_bridge(struct wire_network *shared, const struct docker_network *inspected);

/* `own` and `inspected` may be NULL: a network that Docker does not know. */
void topology_fill_network(struct wire_network *wire, const struct mac_address *mac, const struct own_network *own,
                           const struct docker_network *inspected);

/* The names of our networks, for errors. Returns `text`. */
const char *topology_network_names(const struct own_container *own, char text[NETWORK_NAMES_SIZE]);
