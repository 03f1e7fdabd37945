/*
 * What ANCHORD_ALLOW and ANCHORD_LIMIT say, for a watcher (GUEST-5).
 *
 * Called by identity.c at each start of the watcher. Runs as root; sends our own messages.
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "daemon/supervise/worker.h"

/* Before its configuration: known before the first container is. */
void guest_texts_send(const struct configuration *configuration, struct worker *watcher);
