/*
 * The managed service-anchors: made, recreated or left (LIFE-2).
 *
 * Called by dependents.c. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/dependents_state.h"

/* The target of a managed service-anchor is in `target`, or there is none. */
void managed_repairs_judge(struct dependents *dependents, bool has_target);

/* Somebody else has made a container of that name. */
void managed_repairs_leave_foreign(struct dependents *dependents);

/* The connection has gone, and with it every answer. */
void managed_repairs_interrupt(struct dependents *dependents);
