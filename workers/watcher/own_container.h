/*
 * Which container are we (ADDR-10)?
 *
 * The host name proves nothing (people set `hostname:`) and no file is read: we are the running container whose
 * endpoints' MAC addresses are those of our links. Called by discovery.c for each container of a list that is asked for
 * everybody; the gate makes of that question the one container that we run in (WALL-7). Pure; runs without any
 * privilege.
 */
#pragma once

#include "workers/docker/records.h"
#include "workers/watcher/links.h"

struct own_network {
    char name[NAME_SIZE];
    char id[DOCKER_ID_SIZE];
    struct mac_address mac;
    struct ip_address address4; /* as Docker gave them; may be none */
    struct ip_address address6;
    bool has_fixed_address4; /* somebody chose it; Podman does not tell */
    bool has_fixed_address6;
};

struct own_container {
    char id[DOCKER_ID_SIZE]; /* empty: not found */
    char name[NAME_SIZE];
    size_t network_count;
    struct own_network networks[DOCKER_ENDPOINTS_MAX];
};

/* A search in progress; all zero at the start. */
struct own_container_search {
    struct own_container best;
    size_t best_matches;
    bool is_ambiguous; /* two containers match equally well */
};

void own_container_consider(struct own_container_search *search, const struct docker_container *container,
                            const struct link_table *links);
