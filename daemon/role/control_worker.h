/*
 * The worker `control` as the supervisors of all roles run it: its socket, its restarts, what it is told.
 *
 * Called by identity.c, service_anchor.c and rebinder.c, and by what these share, as root. It is never needed for
 * the data path: whatever fails here is said once, and everything else goes on.
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "daemon/supervise/join.h"

struct control_worker;

/*
 * Opens the control socket and prepares the worker. Returns 0, or a negative errno, logged with the remedy, and *ret
 * NULL; the other functions accept that NULL and do nothing.
 */
int control_worker_new(sd_event *event, const struct configuration *configuration, enum anchor_role role,
                       struct control_worker **ret);
struct control_worker *control_worker_free(struct control_worker *control);
DEFINE_POINTER_CLEANUP(struct control_worker, (void)control_worker_free, control_worker_freep);

struct dhcp;

/* The DHCP clients, for status; NULL: none. They stay the caller's, and must be taken away before they are freed. */
void control_worker_set_dhcp(struct control_worker *control, const struct dhcp *dhcp);

/* Another worker of this role, for the list that status shows; the same one counts once. It stays the caller's. */
void control_worker_add(struct control_worker *control, struct join_member other);

void control_worker_start(struct control_worker *control);

/* After one of the others has started or ended, or its conditions have changed: joins and tells what is new. */
void control_worker_on_started(struct control_worker *control, const struct worker *other);
void control_worker_on_changed(struct control_worker *control);
void control_worker_on_readiness(struct control_worker *control, uint32_t required, uint32_t held);
/* Some of enum supervisor_fault holds from now on, or does not any more. */
void control_worker_set_faults(struct control_worker *control, uint32_t faults, bool do_hold);

/* From here on its end is none to repair; it goes on answering until control_worker_free(). */
void control_worker_on_stop(struct control_worker *control);
