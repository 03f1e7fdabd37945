/*
 * anchord-netadmin in the role service-anchor: the conversations with supervisor and resolver.
 *
 * Called by main.c. Reads fixed-size messages and rtnetlink; there is no nftables in this role. The resolver parses
 * what DNS servers send, so it is trusted with nothing but a list of addresses: which of them may become the gateway is
 * decided here, by what is on link.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct service_role;

/* Joins `event`. Opens sockets: before the sandbox is sealed. Returns 0, or a negative errno (logged). */
int service_role_new(sd_event *event, struct service_role **ret) __attribute__((warn_unused_result));
struct service_role *service_role_free(struct service_role *anchor);
DEFINE_POINTER_CLEANUP(struct service_role, (void)service_role_free, service_role_freep);
