/*
 * What is said of the two links: found or lost, too many addresses, IPv6 forwarding that only Compose can switch on;
 * each once.
 *
 * Owned by network.c inside anchord-netadmin; no privilege.
 */
#pragma once

#include "workers/netadmin/link/network_ground.h"

/* As last said in the log; arrays by enum device_side. */
struct link_reports {
    uint32_t index[2];
    bool has_reported_missing[2];
    bool has_reported_left_out;
    bool has_reported_forwarding6;
};

void link_reports_say(struct link_reports *reports, const struct network_ground *ground);
