/*
 * The conversations of anchord-netadmin and what they lead to: the state machine of the privileged side.
 *
 * Called by main.c. Reads fixed-size messages from the supervisor and the watcher and the kernel's answers,
 * nothing else. Everything is desired state, difference, one transaction (DESIGN §2): a committed state is held
 * until the topology is known and its interfaces are found, and every change of the network, of our tables by
 * others, or of the desired state leads through the one function that compares and applies.
 */
#pragma once

#include "common/cleanup.h"
#include "workers/netadmin/ruleset.h"

#include <systemd/sd-event.h>

struct netadmin;

/*
 * Joins `event` and takes over the ruleset, also when it fails. Opens sockets: before the sandbox is sealed.
 * Returns 0, or a negative errno (logged).
 */
int netadmin_new(sd_event *event, struct ruleset *ruleset, struct netadmin **ret) __attribute__((warn_unused_result));
struct netadmin *netadmin_free(struct netadmin *netadmin);
DEFINE_POINTER_CLEANUP(struct netadmin, (void)netadmin_free, netadmin_freep);
