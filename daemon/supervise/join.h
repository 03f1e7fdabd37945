/*
 * A connection between two workers: who talks to whom without the supervisor in between (DESIGN §2).
 *
 * Used by the supervisors of all roles and by control_worker.c, as root.
 */
#pragma once

#include "daemon/supervise/worker.h"

/* A worker and how the others call it. */
struct join_member {
    struct worker *worker;
    enum link_peer name;
};

/* A fresh connection between the two, if both run. */
void join_members(struct join_member one, struct join_member other);
