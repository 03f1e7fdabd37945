/* What path_check.c and path_ask.c share: the whole of one run. */
#pragma once

#include "daemon/command/path_check.h"
#include "daemon/command/path_places.h"
#include "daemon/command/path_prober.h"
#include "daemon/command/path_status.h"

#define PATH_WAYS_MAX 2

struct path_check {
    const struct path_options *options;
    path_reporter report;
    void *userdata;
    char external[NAME_SIZE]; /* the interface on the LAN */
    struct path_places places;
    struct path_scene scene;
    int anchor_namespace; /* -1: ours */
    struct ip_address anchor_addresses[PLACE_ADDRESSES_MAX];
    struct path_container containers[PATH_CONTAINERS_MAX];
    struct {
        char name[NAME_SIZE];
        char findings[2][PATH_FINDING_SIZE];
    } words[PATH_CONTAINERS_MAX]; /* of each container */
    size_t container_count;
    struct path_port ports[2 * PATH_PORTS_MAX];
    size_t port_count;
    bool is_cut; /* there are more */
    struct path_way_out ways[PATH_WAYS_MAX];
    size_t way_count;
    struct path_prober anchor;
    struct path_prober inside[PATH_CONTAINERS_MAX]; /* by container */
    struct path_prober lan;
};

/* path_ask.c: everything that is to be tried, at once; then, what hangs on what was told. False: nothing more. */
void path_ask_all(struct path_check *check);
bool path_ask_further(struct path_check *check);
