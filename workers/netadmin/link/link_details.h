/*
 * What netadmin reads of links beyond what way does: settings, which it changes, and, of more addresses than there is
 * room for, those that matter.
 *
 * Used by network.c inside anchord-netadmin, for network/link_reading.h; no privilege.
 */
#pragma once

#include "workers/netlink/network/link_reading.h"

extern const struct link_details link_details;
