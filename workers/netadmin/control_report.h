/*
 * Tells control what the network is: interfaces, addresses, gateways, map elements, for `anchord status` (SPEC §9).
 *
 * Owned by netadmin.c inside anchord-netadmin. It looks after every turn of the event loop and
 * sends when something differs from what was sent, so no other part has to think of it. Nothing ever comes back from
 * control.
 */
#pragma once

#include "workers/netadmin/network.h"
#include "workers/netadmin/ruleset.h"

struct control_report;

/* Both must outlive it. Returns 0 or a negative errno. */
int control_report_new(sd_event *event, const struct network *network, const struct ruleset *ruleset,
                       struct control_report **ret) __attribute__((warn_unused_result));
struct control_report *control_report_free(struct control_report *report);
DEFINE_POINTER_CLEANUP(struct control_report, (void)control_report_free, control_report_freep);

/* A new control; replaces the last one and owns `fd` from now on. Returns 0 or a negative errno. */
int control_report_link(struct control_report *report, int fd) __attribute__((warn_unused_result));
