/*
 * The links of an attached identity (HOST-2), as anchord-links made them, down and bare: the macvlan, one link into
 * each Docker network, and one to the host.
 *
 *     ip link set ancin3 up
 *     ip address add 169.254.24.94/32 dev ancin3 proto 110
 *
 * Used by the network half of anchord-netadmin (CAP_NET_ADMIN). The inner ones answer at the next hop alone, have no
 * address of the networks behind them, and IPv6 has the link-local address of their MAC.
 */
#pragma once

#include "workers/netadmin/link/network_ground.h"

/* Brings each of them to that. Goes on after a failure; returns the first one, reported, or 0. */
int attached_links_settle(struct network_ground *ground) __attribute__((warn_unused_result));

/* Whether it is one of those into Docker networks and to the host, by its name: nobody else makes links there. */
bool attached_links_is_inner(const struct network_link *link);

/* The end: without rules nothing comes in by them. Returns 0 or the first failure, reported. */
int attached_links_lower(struct network_ground *ground) __attribute__((warn_unused_result));

/* Whether the links are there, one at least, and as they should be, that anchord-links told of last (HOST-12). */
bool attached_links_are_made(const struct network_ground *ground);
