/*
 * Whether a holder (anchord-hold, KEEP-2) owns the network namespace that we run in: then it outlives us, and a
 * successor of ours adopts what is in it.
 *
 * The holder binds one name of the abstract namespace of unix sockets, which is the network namespace's, before it
 * gives its privileges up (workers/hold/); nobody speaks there. Whoever runs in the namespace could bind it, too, and
 * would have a stop leave there what a crash leaves.
 *
 * Called by network_anchor.c at its start, as root.
 */
#pragma once

#include <stdbool.h>

bool holder_is_there(void);
