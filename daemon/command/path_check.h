/*
 * The group `path` of anchord doctor: proves end to end that what is exposed answers, and tells causes apart (SEE-2).
 *
 * Called by the command, as root: on the host with the process of a network-anchor, in that one's container without. It
 * reads the status of that anchord, finds the namespaces of its containers, lets anchord-probe try connections in them,
 * and reads what those tell. It changes nothing, and nothing of it is left, also when it is killed.
 */
#pragma once

#include "daemon/command/path_plan.h"

struct path_options {
    uint32_t pid;              /* a process of the anchord that is asked; 0: the one that runs here */
    const char *name;          /* of its container, for lines to paste; NULL: none */
    bool from_lan;             /* with a throw-away host on the LAN */
    const char *lan_addresses; /* "192.0.2.9/24,2001:db8::9/64"; of the families that are not in it: a router's */
};

/* Returns 0 when it has reported what there is, or a negative errno: -ENOENT, -ECONNREFUSED: no anchord is here. */
int path_check_run(const struct path_options *options, path_reporter report, void *userdata)
    __attribute__((warn_unused_result));
