/*
 * The Docker networks of an attached project: those that carry its label and those that containers in scope are on
 * (HOST-2, HOST-4, HOST-6).
 *
 * Filled by attachment.c from Docker's answers; tells which of a container's addresses its ports lead to, and what the
 * host half has to know. A network does not change while it lives, so it is inspected once; who of the scope is on a
 * network that others share is looked at again and again, since only the inspection tells that before a container runs.
 * In memory only; no privilege.
 */
#pragma once

#include "workers/watcher/container_table.h"

#define SCOPE_NETWORKS_MAX 128 /* more are not looked at */

struct scope_networks {
    struct scope_network *networks; /* by ID, in the order in which they came */
    char project[NAME_SIZE];        /* whose label makes a network owned; empty: none is */
    size_t unguarded;               /* addresses that GUARDED had no room for, when it was filled last */
};

void scope_networks_release(struct scope_networks *networks);

/* There is a network with this ID, as a container in scope or a list of the project's own says. Returns whether it is a
 * new one, or -ENOMEM. */
int scope_networks_note(struct scope_networks *networks, const char *id);
bool scope_networks_contain(const struct scope_networks *networks, const char *id);
/* It is no more. Returns whether it was known. */
bool scope_networks_remove(struct scope_networks *networks, const char *id);
/* The ID at a place, for questions about all of them; NULL behind the last. */
const char *scope_networks_at(const struct scope_networks *networks, size_t place);

/* A pass over all containers in scope and all networks of the project: what nothing noted meanwhile is left. */
void scope_networks_begin_pass(struct scope_networks *networks);
void scope_networks_end_pass(struct scope_networks *networks);

/* Who is on it has to be looked at again, when it is one that others share. Returns whether it is. */
bool scope_networks_look_again(struct scope_networks *networks, const char *id);
void scope_networks_look_at_all(struct scope_networks *networks);

/* The network to inspect next, or NULL. It may be gone before the answer comes. */
const char *scope_networks_needs_inspection(struct scope_networks *networks);
/* A container in scope that is on the network under inspection. Returns 0 or -ENOMEM. */
int scope_networks_put_attached(struct scope_networks *networks, const char *id, const struct docker_attached *attached)
    __attribute__((warn_unused_result));
/* The inspection has ended: -ENOENT means that the network is no more, another error that nothing is known of it. */
void scope_networks_end_inspection(struct scope_networks *networks, const char *id, int error,
                                   const struct docker_network *record);
/* Is everything known that can be? Before that nobody can say where a container's default route goes. */
bool scope_networks_are_settled(const struct scope_networks *networks);

/* What the host half says of the link to a network; *reason* is empty when it is there, `interface` when it is not.
 * Returns whether that is new. */
bool scope_networks_set_link(struct scope_networks *networks, const char *id, const char *interface, int error,
                             const char *reason);

struct scope_link { /* without interface and reason: not answered yet */
    const char *network;
    const char *interface;
    const char *reason;
};

/* The link at a place, of those that are asked for; false behind the last. */
bool scope_networks_link_at(const struct scope_networks *networks, size_t place, struct scope_link *ret);

enum target_fault {
    TARGET_FOUND,
    TARGET_NO_ROUTE,  /* on internal networks only, or on none */
    TARGET_NO_BRIDGE, /* Docker leads the default route over a network that is no bridge: macvlan, say */
    TARGET_NO_LINK,   /* the host half could not make a link there */
    TARGET_NOT_KNOWN, /* a network could not be looked at */
};

struct target {
    enum target_fault fault;
    struct ip_address address;            /* of no family with a fault */
    const struct docker_network *network; /* that the fault is about, or NULL */
    const char *reason;                   /* of TARGET_NO_LINK */
};

/* The address of a container on the network of its default route, by family (enum FAMILY_INDEX_…). */
struct target scope_networks_find_target(const struct scope_networks *networks,
                                         const struct container_endpoint *endpoints, size_t count, size_t family);

/* Fills both messages but for their headers. A network that there is no room for has no link from now on, and says
 * why. */
void scope_networks_fill(struct scope_networks *networks, struct message_bridges *bridges,
                         struct message_guarded *guarded);
