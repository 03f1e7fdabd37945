/*
 * Whether this container's own init is the first process here: then the network namespace ends with us, and an ordered
 * stop leaves it closed, because Docker takes its time to remove it (WALL-3).
 *
 * Called by network_anchor.c at its start, as root. Reads /proc/1/comm.
 */
#pragma once

#include <stdbool.h>

bool container_home_ends_with_us(void);
