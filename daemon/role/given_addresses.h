/*
 * Addresses that ANCHORD_ADDRESS gives (HOST-12): netadmin gets them as leases without end, so that they come, are
 * defended and go as leased ones do.
 *
 * Called by attach.c, in the supervisor, as root.
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "daemon/supervise/worker.h"

/* Each time that netadmin was started; without such addresses nothing. */
void given_addresses_send(const struct configuration_address *address, struct worker *netadmin);

/* Says what is wrong, if something is. */
void given_addresses_take_answer(const struct configuration_address *address,
                                 const struct message_lease_applied *answer);
