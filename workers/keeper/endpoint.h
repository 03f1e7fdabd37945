/*
 * The follower's place on the network that it follows, and who else is there (LIFE-5).
 *
 * Called by follow.c with Docker's answers. What somebody configured for the endpoint travels byte by byte, as Docker
 * showed it. Pure, reads foreign bytes, no privilege. Fields: API 1.41 … 1.52, ContainerInspect, NetworkInspect,
 * NetworkConnect.
 */
#pragma once

#include "workers/keeper/inspection.h"

struct endpoint {
    bool is_there;
    char network_id[DOCKER_ID_SIZE]; /* empty: Docker goes by the network's name when it starts the container */
};

/* Of the container on the network of that name. */
void endpoint_read(const struct inspection *container, const char *network, struct endpoint *ret);

/* Did Docker not start it the last time because a network of its was gone? */
bool endpoint_prevented_start(const struct inspection *container);

/*
 * What was configured for it: {"IPAMConfig": …, "Aliases": …}, the caller's to free. Of a container that has no
 * endpoint there it is what Compose gives by itself: the names of container and service. Returns 0 or -ENOMEM.
 */
int endpoint_copy_configuration(const struct inspection *container, const char *network, char **ret)
    __attribute__((warn_unused_result));

struct network_view {
    struct docker_document document; /* owned; released by whoever asked for it */
    char id[DOCKER_ID_SIZE];
    uint64_t created;       /* nanoseconds since 1970; 0: not told */
    uint32_t foreign_count; /* endpoints of everybody but the follower */
    bool has_follower;      /* an endpoint of its own is there, as the network sees it: it runs */
};

/*
 * Reads `document` of `view`, the answer about the network called `name`, which counts for this follower. Returns 0, or
 * -EBADMSG with *ret_reason (static storage).
 */
int endpoint_read_network(struct network_view *view, const char *name, const char *follower_id, const char **ret_reason)
    __attribute__((warn_unused_result));
