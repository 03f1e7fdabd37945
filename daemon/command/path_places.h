/*
 * Network namespaces of this host, and which addresses each has: where the group `path` of anchord doctor tries
 * connections from (SEE-2).
 *
 * Used by path_check.c as root. Read from /proc and of the kernel in each namespace; no word of Docker's. Where rights
 * or /proc do not go that far, as in a container, the list is as long as they do.
 */
#pragma once

#include "common/address.h"

#include <net/if.h>
#include <sys/types.h>

#define PLACE_ADDRESSES_MAX 32

struct path_place {
    int namespace;
    ino_t inode;
    bool is_known; /* our own namespace has links that lead there */
    struct ip_address addresses[PLACE_ADDRESSES_MAX];
    size_t address_count;
};

struct path_places {
    struct path_place *places;
    size_t count;
    size_t capacity;
};

void path_places_release(struct path_places *places);

/* Without our own namespace and that of process 1: no container is there, and an anchor that was taken over could have
 * connections tried from it that the host alone may make. Returns 0 or a negative errno; who may look at nothing finds
 * nothing. */
int path_places_read(struct path_places *ret) __attribute__((warn_unused_result));

/* The namespace of a process; -1: it cannot be opened. */
int path_places_open(uint32_t pid);

/* The one that has this address; of several the one that ours leads to. NULL: none, or nobody knows which. */
const struct path_place *path_places_find(const struct path_places *places, const struct ip_address *address);

/* The addresses of a namespace (-1: ours), without the loopback's. Returns their number, 0 when it cannot be looked
 * into. */
size_t path_places_addresses(int namespace, struct ip_address ret[PLACE_ADDRESSES_MAX]);

/* The interface here that the macvlan `link` of a namespace lies on. Returns 0 or a negative errno;
 * -ENODEV: it is no macvlan, or on another host's interface, as that of our own namespace always is. */
int path_places_parent(int namespace, const char *link, char ret[IF_NAMESIZE]) __attribute__((warn_unused_result));
