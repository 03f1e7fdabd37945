/*
 * DHCP as the supervisor of a network-anchor sees it: one dhcpcd per family, the socket on which their leases arrive,
 * and what netadmin is to know of them (ADDR-2 to ADDR-8).
 *
 * With ANCHORD_DHCP_CLIENT=host there is no dhcpcd of ours: the host's reports to that socket by its hook, as root.
 *
 * Used by network_anchor.c and control_worker.c of daemon/role; runs in the supervisor, as root. Only with
 * ANCHORD_ADDRESS_MODE=dhcp-refresh; every function but dhcp_new() accepts NULL, does nothing then, and nothing runs.
 */
#pragma once

#include "common/cleanup.h"
#include "daemon/configuration/configuration.h"
#include "daemon/dhcp/dhcp_family.h"

#include <systemd/sd-event.h>

struct dhcp;

/*
 * `listener`: from dhcp_files_make(); `twin_socket`: from dhcp_twin_open(), or -1; both stay the caller's. No client is
 * started before netadmin names the link. `callbacks` go to both families as they are. Returns 0 or a negative errno.
 */
int dhcp_new(sd_event *event, const struct configuration *configuration, int listener, int twin_socket,
             const struct dhcp_family_callbacks *callbacks, struct dhcp **ret) __attribute__((warn_unused_result));
struct dhcp *dhcp_free(struct dhcp *dhcp);
DEFINE_POINTER_CLEANUP(struct dhcp, (void)dhcp_free, dhcp_freep);

/* What netadmin says of the external link, and of a lease; nothing happens without DHCP. */
void dhcp_take_link(struct dhcp *dhcp, const struct message_external_link *link);
void dhcp_take_answer(struct dhcp *dhcp, const struct message_lease_applied *answer);

/* A new netadmin has its configuration: it gets the leases. */
void dhcp_on_netadmin_started(struct dhcp *dhcp);

/* Ends the clients; what is held is released while the addresses are still there (ADDR-8), unless it `keeps_lease` for
 * a successor (KEEP-1). Again: nothing. */
void dhcp_stop(struct dhcp *dhcp, bool keeps_lease);
bool dhcp_is_running(const struct dhcp *dhcp);

/* Adds its clients to the workers and sets the leases, as status shows them. */
void dhcp_describe(const struct dhcp *dhcp, struct message_supervision *supervision);
