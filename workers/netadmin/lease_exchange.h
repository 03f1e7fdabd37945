/*
 * What anchord-netadmin and the supervisor tell each other about DHCP: on which link a client may run, which lease it
 * got, and what became of that (ADDR-2). Called by netadmin.c; needs no privilege of its own.
 */
#pragma once

#include "protocol/channel.h"
#include "workers/netadmin/network.h"

/* Sends EXTERNAL_LINK when it differs from *sent, which is kept up to date. */
void lease_exchange_tell_link(struct channel *supervisor, const struct network *network,
                              struct message_external_link *sent);

/* A LEASE: handed to the network half; a refused one is answered at once, for the supervisor to report. */
void lease_exchange_handle(struct channel *supervisor, struct network *network, const struct message_lease *message);

/* Under attach, by which addresses the host's routes lead here (HOST-7): only what answers, and only when it differs
 * from *told, which it becomes. */
void lease_exchange_tell_addresses(struct channel *supervisor, const struct network *network,
                                   const struct network_view *view, struct message_project_addresses *told);
