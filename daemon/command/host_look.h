/*
 * What Docker and the LAN say, as anchord-look tells it: the commands start that program and read its records.
 *
 * Used by the commands attach, detach and list, as whoever typed them.
 */
#pragma once

#include "protocol/look_records.h"

struct host_look {
    struct look_record *records; /* in the order in which they came, without the last */
    size_t count;
    char *bytes; /* that hold them */
    char reason[LOOK_TEXT_SIZE];
};

void host_look_release(struct host_look *look);

/* Where Docker listens: DOCKER_HOST, if there is one, else as Docker does by itself. */
const char *host_look_docker_host(void);

/* Containers, and the units that attach projects (host_units.h).
 * Everything in `ret`, which is released first. Returns 0, or a negative errno with `reason` filled. */
int host_look_docker(struct host_look *ret) __attribute__((warn_unused_result));
/* Who on the LAN of `parent` has one of `addresses`, two at most; that takes a second, and needs CAP_NET_RAW. */
int host_look_lan(const char *parent, const struct ip_address *addresses, size_t count, struct host_look *ret)
    __attribute__((warn_unused_result));

/* The container or unit of this service that attaches the project, one that runs first; NULL: there is none. */
const struct look_record *host_look_find_half(const struct host_look *look, const char *project, const char *service);
