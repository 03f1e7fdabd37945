/*
 * What the four maps of the ruleset hold, as values: dnat_tcp and dnat_udp of both families.
 *
 * Used by the ruleset half of anchord-netadmin for the desired state, for what the kernel holds and for their
 * difference. Pure: no system call, no privilege. Ports are in host byte order, addresses as on the network.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/guest_list.h"
#include "workers/netadmin/plan/port_ranges.h"

#include <stdbool.h>

/* `port` of the project's address goes to `backend` : `backend_port`; one element per port (NAT-5). */
struct map_element {
    uint16_t port;
    uint16_t backend_port;
    uint8_t backend[16]; /* an IPv4 address uses the first four bytes, the rest is zero */
};

struct map {
    struct map_element *elements;
    size_t count;
    size_t capacity;
};

#define MAPS_MAX (FAMILY_INDEX_MAX_ * PROTOCOL_INDEX_MAX_)

struct map_state {
    union {
        struct map maps[FAMILY_INDEX_MAX_][PROTOCOL_INDEX_MAX_];
        struct map all[MAPS_MAX]; /* the same, for what is done with each */
    };
};

/* A complete desired state: what the maps shall hold, and what nothing new may go to any more (DISC-7). */
struct desired_state {
    struct map_state open;
    struct map_state withheld;
    struct guest_list guests;  /* who may come in, and how often (GUEST-1, GUEST-3) */
    struct port_ranges ranges; /* of all exposures, also those that are withheld; sorted */
};

uint8_t family_index_to_family(size_t index);     /* enum ip_family */
uint8_t protocol_index_to_protocol(size_t index); /* IPPROTO_TCP, IPPROTO_UDP */
size_t family_index_from_family(uint8_t family);  /* IP_FAMILY_4 or IP_FAMILY_6 */
size_t protocol_index_from_protocol(uint8_t protocol);

/* Appends; the map is not sorted afterwards. Returns 0 or -ENOMEM. */
int map_add(struct map *map, const struct map_element *element) __attribute__((warn_unused_result));
void map_clear(struct map *map);
void map_sort(struct map *map);
/* The map's ports alone: what a set of ports holds. Returns 0 or -ENOMEM with *ret clear. */
int map_copy_ports(const struct map *map, struct map *ret) __attribute__((warn_unused_result));
/* In a sorted map; NULL if there is none. */
const struct map_element *map_find(const struct map *map, uint16_t port);
bool map_element_equal(const struct map_element *a, const struct map_element *b);

void map_state_clear(struct map_state *state);
void desired_state_clear(struct desired_state *state);
/* Elements over all maps. */
size_t map_state_count(const struct map_state *state);
/* Elements of each map, as messages say it. */
void map_state_count_each(const struct map_state *state, uint32_t ret[FAMILY_INDEX_MAX_][PROTOCOL_INDEX_MAX_]);
size_t desired_state_count(const struct desired_state *state);
void map_state_sort(struct map_state *state);
/* Leaves out the ports that have a list, or a limit. */
void map_state_close(struct map_state *state, const struct guest_list *guests, enum guest_kind kind);

/*
 * Appends one element per port of a validated exposure. Returns 0, -ENOMEM, or -E2BIG when the state would
 * hold more than MAP_ELEMENTS_MAX (then nothing is added).
 */
int map_state_expand(struct map_state *state, const struct wire_exposure *exposure) __attribute__((warn_unused_result));

/*
 * The other way round, for the report to the watcher: neighbouring ports of one backend become one range
 * with that `access`.
 * *ret is allocated, *ret_count may be 0. Returns 0 or -ENOMEM. The state must be sorted.
 */
int map_state_to_exposures(const struct map_state *state, enum exposure_access access, struct wire_exposure **ret,
                           size_t *ret_count) __attribute__((warn_unused_result));
