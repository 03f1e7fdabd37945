/*
 * What "ready" means (SPEC §8): which conditions a role needs, and who is told that they hold.
 *
 * Used by the supervisors of all roles, as root.
 */
#pragma once

#include "daemon/role/control_worker.h"

#define READINESS_PLACE_SIZE 160

struct readiness {
    uint32_t required;              /* enum readiness_condition: those that make the role ready */
    struct control_worker *control; /* who shows it, or NULL */
    bool is_ready;
    uint32_t held; /* those that hold */
    bool was_ready;
};

/* Takes over the conditions that hold now; says it when that makes or ends being ready. */
void readiness_update(struct readiness *readiness, uint32_t held);

/* Where this process is to be found, "at 192.0.2.5": for systemd's one line (PKG-2). */
void readiness_set_place(const char *place);
