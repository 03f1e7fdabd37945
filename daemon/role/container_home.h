/*
 * Whether this container's own init is the first process here: then the network namespace ends with us, and an ordered
 * stop leaves it closed, because Docker takes its time to remove it (WALL-3).
 *
 * Called by network_anchor.c, attach.c and attach_host.c at their start, as root. Reads /proc/1/comm.
 */
#pragma once

#include "daemon/configuration/configuration.h"

#include <stdbool.h>

bool container_home_ends_with_us(void);

/*
 * What an orderly stop of either half of attach leaves (HOST-4, HOST-6, KEEP-1). In a container the links go with us,
 * and nothing would bring a backend that keeps our rules out again: it gets Docker's routes back. Elsewhere an orderly
 * stop is one of many, and leaves what closes, the guard with it; detaching is said by ANCHORD_ON_STOP=remove. So must
 * a host half in a container say it, whose first process is the host's (compose/attach.yaml).
 */
enum stop_mode container_home_choose_stop_mode(enum on_stop on_stop);
