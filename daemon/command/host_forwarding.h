/*
 * Whether the host forwards what an attached project sends by it (HOST-7): that is the host's own to allow, since
 * nobody's firewall but our own table is touched (WALL-9).
 *
 * Used by the command `anchord attach`, as root; changes nothing.
 */
#pragma once

#include "daemon/configuration/configuration.h"

/* Prints, for each family of ANCHORD_VIA_HOST that the host does not forward, why, and what to paste. */
void host_forwarding_print(const struct configuration *identity);
