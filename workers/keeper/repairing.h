/*
 * What the repairs of other people's containers (dependents.c) and those of managed service-anchors (managed_repairs.c)
 * have in common: whether one is due, its start, its end. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/dependents_state.h"
#include "workers/keeper/repair.h"

/* In which order the container that is looked at and its target were started; `has_target`: `target` is there. */
enum start_order repairing_order(struct dependents *dependents, bool has_target);

/* What the container that is looked at needs. */
enum repair repairing_choose(struct dependents *dependents, bool has_target);

/* Says that REPAIR_UNKNOWN was all that could be told. */
void repairing_report_order(struct dependents *dependents);

/* Notes an attempt; false: its time has not come, and it is remembered. */
bool repairing_may_try(struct dependents *dependents);

/* Since the attempt. */
int64_t repairing_milliseconds(const struct dependents *dependents);

/* Counts a repair that is over, or could not begin; another look follows. */
void repairing_note_result(struct dependents *dependents, bool is_done);

/* `result` of recreation_start() or recreation_start_as(). */
void repairing_check_begun(struct dependents *dependents, int result, const char *reason);

/* Starts the container that is looked at; `message` says why. */
void repairing_start(struct dependents *dependents, const char *message);

/* A docker_done_handler: the start or restart of that container is over. */
void repairing_on_done(void *userdata, int error, const char *text);
