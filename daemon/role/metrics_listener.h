/*
 * The listening socket of metrics and health (SPEC §7, §8).
 *
 * Called by monitoring.c in the supervisor, as root; the socket is the exporter's to accept on, the supervisor never
 * reads from it.
 */
#pragma once

#include "daemon/configuration/configuration.h"

/*
 * Listens on `address`, without waiting, close-on-exec. Returns 0 or a negative errno: -EADDRINUSE when another process
 * has the port.
 */
int metrics_listener_open(const struct configuration_listener *address, int *ret) __attribute__((warn_unused_result));
