/*
 * Leases taken or refused (ADDR-2). What a server said has passed the supervisor, which checked its form alone: here it
 * is judged.
 *
 * Called by network.c inside anchord-netadmin; changes what external_addresses.c wants, and nothing in the kernel.
 */
#pragma once

#include "workers/netadmin/address/external_addresses.h"
#include "workers/netadmin/address/inner_guard.h"

/*
 * The lease of a family, or that there is none. Checked by the policy; what was there stays until the new address can
 * be used. Returns 0, or a negative errno with `reason`: refused whole.
 */
int lease_taking_set(struct external_addresses *addresses, const struct message_lease *message,
                     char reason[REASON_SIZE]) __attribute__((warn_unused_result));

/* A network that was connected after the lease came may hold the leased address now: it is given up. */
void lease_taking_refuse_inner(struct external_addresses *addresses, const struct inner_guard *guard);
