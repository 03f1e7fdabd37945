/*
 * Do a backend's replies come back through the anchor, and if not, why and what mends it (DISC-8)?
 *
 * Called by path_survey.c. Pure; runs without any privilege. The rules are Docker's, measured with Engine 20.10
 * and 28.5 (tests/e2e/test_docker_behaviour.py): the default route comes from the network with the highest gateway
 * priority; among equals from one with both families, then from the first by name. What cannot be known is not claimed.
 */
#pragma once

#include "protocol/problems.h"
#include "workers/docker/records.h"

/* From API 1.48 (Engine 28.0) on networks of a container have `gw_priority`; older engines ignore it without a word. */
#define API_WITH_GATEWAY_PRIORITY 48

#define RETURN_PATH_REMEDY_SIZE 512

enum return_path_fault {
    RETURN_PATH_FINE,
    RETURN_PATH_OTHER_ROUTE,      /* another network gives the default route */
    RETURN_PATH_INTERNAL,         /* the shared network is internal: no default route, whatever it names */
    RETURN_PATH_NO_GATEWAY,       /* the shared network names no gateway of ours */
    RETURN_PATH_FOREIGN_GATEWAY,  /* it names one that is not ours */
    RETURN_PATH_ANCHOR_STARTING,  /* the service-anchor in the namespace is not ready yet … */
    RETURN_PATH_ANCHOR_UNHEALTHY, /* … or not any more */
};

/* A backend's place on a network. */
struct return_path_attachment {
    const struct docker_network *network;
    bool has_address[FAMILY_INDEX_MAX_];
    int32_t gateway_priority;
};

/* A backend without a service-anchor. */
struct return_path {
    struct return_path_attachment attachments[DOCKER_ENDPOINTS_MAX];
    size_t count;
    size_t shared;                          /* which of them is the shared network */
    bool may_be_claimed[FAMILY_INDEX_MAX_]; /* false: its auxiliary gateway is certainly not ours */
};

/* Which of `count` networks gives a container its default route of a family, or NULL: none does. */
const struct return_path_attachment *return_path_find_default(const struct return_path_attachment *attachments,
                                                              size_t count, size_t family);

/* The worst fault of one family; *ret_other is the network that gives the default route, or NULL. */
enum return_path_fault return_path_check(const struct return_path *path, size_t family,
                                         const struct docker_network **ret_other);

/* The fault of a backend with a service-anchor of this health; one without a health check is not blamed. */
enum return_path_fault return_path_check_anchor(enum docker_health health);

/* The auxiliary gateway that the network names for a family; family none: it names none. */
struct ip_address return_path_gateway(const struct docker_network *network, size_t family);

/* What to log: static storage. */
const char *return_path_message(enum return_path_fault fault);
enum problem return_path_problem(enum return_path_fault fault);

/*
 * Writes the remedy. `other`: the other network's or the service-anchor's name; `engine` decides what can be written.
 * Returns `text`.
 */
const char *return_path_remedy(enum return_path_fault fault, size_t family, const struct docker_network *shared,
                               const char *other, const struct docker_version *engine,
                               char text[RETURN_PATH_REMEDY_SIZE]);
