/*
 * Whether anybody on the LAN has an address that a project is to get: asked by ARP (RFC 5227 §2.1) and by neighbour
 * discovery as duplicate address detection asks it (RFC 4862 §5.4.2), from the parent and without an address of its
 * own.
 *
 * Called by main() of anchord-look.
 */
#pragma once

#include <stddef.h>

/* Reports a holder for each of `addresses` that somebody has; CAP_NET_RAW is needed until the sockets are open, and
 * then given up. Takes a second. Returns the exit status. */
int look_lan(const char *parent, char *const *addresses, size_t count);
