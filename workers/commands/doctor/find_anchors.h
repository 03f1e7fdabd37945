/*
 * The anchors that run, found among the processes: who has a netadmin is one, and its network namespace the anchor's.
 *
 * Called by gather.c as whoever typed the command; reads /proc.
 */
#pragma once

#include "workers/commands/doctor/scene.h"

/* Fills anchors, is_root and is_in_container. Processes that may not be looked into are no anchors. */
void find_anchors(struct scene *scene);
