/*
 * The namespace of a network-anchor is closed from our first moment to our last (WALL-3): before Docker has told which
 * interface is which there are no tables, and forwarding may be on by then; an ordered stop takes longer than a packet.
 *
 * Called by main.c and netadmin.c inside anchord-netadmin with CAP_NET_ADMIN; logs what fails, and goes on.
 */
#pragma once

#include "workers/netadmin/network.h"
#include "workers/netadmin/ruleset.h"

#include <stdbool.h>

/* Lets nothing pass where our tables are not there; adopted ones stay. Before anything else, and again when others
 * changed that. */
void closing_begin(struct ruleset *ruleset);

/* The ordered stop of both halves: closed before addresses and routes begin to go, and opened, unless it
 * `is_left_closed`, when all of them have gone. */
void closing_end(struct ruleset *ruleset, struct network *network, bool is_left_closed);
