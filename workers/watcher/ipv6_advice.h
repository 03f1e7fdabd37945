/*
 * What keeps IPv6 from working on the external interface, and the line of Compose that mends it (ADDR-14).
 *
 * The kernel's settings come from netadmin's link reports; only the watcher knows the engine, on which the line
 * depends. Called by discovery.c. Pure; runs without any privilege.
 */
#pragma once

#include "common/log.h"
#include "protocol/problems.h"
#include "workers/docker/records.h"
#include "workers/watcher/links.h"

/*
 * From API 1.46 (Engine 27.0) on an endpoint has sysctls of its own; before it there are only those of the container,
 * by interface name. Engine 28 (API 1.48) refuses the latter. moby#47686, moby#48746.
 */
#define API_WITH_ENDPOINT_SYSCTLS 46

#define REMEDY_SIZE 256

enum ipv6_fault {
    IPV6_FAULT_NONE,
    IPV6_FAULT_IGNORES_RA, /* forwarding on and accept_ra < 2: router advertisements are ignored */
    IPV6_FAULT_DISABLED,   /* Docker set disable_ipv6=1 although the network has an IPv6 subnet */
    IPV6_FAULT_IS_ROUTER,  /* the interface itself forwards: on the LAN the anchor is a router, which no server is */
};

/* Looks at the external interface; `external` as in the topology. Forwarding that is off is netadmin's to report. */
enum ipv6_fault ipv6_fault_find(const struct wire_link *link, const struct wire_network *external);

/* What to log: static storage. */
const char *ipv6_fault_message(enum ipv6_fault fault);
enum problem ipv6_fault_problem(enum ipv6_fault fault);

/* An error keeps IPv6 from working; a warning only shows; information is what this engine cannot mend. */
enum log_level ipv6_fault_level(enum ipv6_fault fault, unsigned int api);

/* Writes the remedy for the engine of API version 1.`api`. Returns `text`. */
const char *ipv6_fault_remedy(enum ipv6_fault fault, unsigned int api, const char *interface, const char *network,
                              char text[REMEDY_SIZE]);
