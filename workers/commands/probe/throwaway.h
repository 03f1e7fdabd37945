/*
 * A throw-away host on the LAN: a network namespace without a name, with a macvlan in it that has its own MAC address.
 *
 * Called by main.c in anchord-probe while it is still root. Both go with the process, however that ends: nobody else
 * holds the namespace, and the kernel removes a macvlan with its namespace. Nothing else of the host is changed.
 */
#pragma once

#include "common/address.h"

#include <stdbool.h>

#define THROWAWAY_ADDRESSES_MAX 2

struct throwaway {
    const char *parent;
    struct ip_subnet addresses[THROWAWAY_ADDRESSES_MAX]; /* with host bits */
    size_t count;
    bool awaits_router; /* and a global IPv6 address of a router advertisement, for some seconds */
};

/* The process is in the new namespace afterwards. *ret_address6: the IPv6 address, given or from a router; may be none.
 * Returns 0 or a negative errno. */
int throwaway_make(const struct throwaway *throwaway, struct ip_address *ret_address6)
    __attribute__((warn_unused_result));
