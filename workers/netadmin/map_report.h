/*
 * Tells a new watcher what our maps hold, so that it knows who has which port (NAT-6).
 *
 * Called by netadmin.c inside anchord-netadmin; writes to the watcher's channel only.
 */
#pragma once

#include "protocol/channel.h"
#include "workers/netadmin/plan/map_state.h"

/*
 * Sends MAP_BEGIN, ITEMS and COMMIT: what the maps hold and what is withheld, both sorted. Returns 0, -ENOMEM or
 * channel_send()'s error.
 */
int map_report_send(const struct map_state *held, const struct map_state *withheld, struct channel *watcher)
    __attribute__((warn_unused_result));

/* Says in the metrics how many elements each map holds. */
void map_report_count(const struct map_state *held);
