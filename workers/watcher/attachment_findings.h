/*
 * What of an attached project is not as people may expect it (HOST-3, HOST-4): ports that are withheld, containers that
 * nothing leads to, containers that do not leave by the project's address.
 *
 * Called by attachment.c for control. Pure; no privilege.
 */
#pragma once

#include "protocol/findings_sender.h"
#include "workers/watcher/members.h"
#include "workers/watcher/scope_networks.h"

/* Tells `handler` of one finding after the other, in the same order for the same input. Returns 0 or what the handler
 * returned. */
int attachment_findings_tell(const struct members *members, const struct scope_networks *networks,
                             const struct container_table *table, finding_handler handler, void *userdata)
    __attribute__((warn_unused_result));
