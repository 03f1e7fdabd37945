/*
 * Makes the scene: finds the anchors among the processes, and asks Docker, each anchor and the kernel, all at once.
 *
 * Called by main.c, as whoever typed the command. Everything that others say is read by children: Docker's by
 * docker_look.c, an anchor's by `anchord status`, the tables by anchord-ruleset. Here it is bytes.
 */
#pragma once

#include "workers/commands/doctor/scene.h"

/* Returns 0 or -ENOMEM. The caller releases it. Without `looks_twice` what is asked a second time is asked at once. */
int gather_scene(bool looks_twice, struct scene *ret) __attribute__((warn_unused_result));
