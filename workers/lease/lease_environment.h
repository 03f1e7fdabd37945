/*
 * What dhcpcd tells its script in the environment (dhcpcd-run-hooks(8), and measured: the reasons EXPIRED and RELEASE6
 * are in no manual), as one LEASE_EVENT.
 *
 * Used by anchord-lease's main() and by tests; pure, no allocation. A DHCP server chose most of the values: whatever is
 * malformed makes the whole lease UNUSABLE, so that nothing half understood travels on.
 */
#pragma once

#include "protocol/messages.h"

struct lease_problem {
    const char *variable; /* static */
    const char *reason;   /* static */
};

/*
 * Fills *ret, a message that message_validate() accepts. `environment`: NAME=value strings, NULL-terminated; of a name
 * that occurs twice the first counts. Routes that do not fit are left out, but never a default route, and counted in
 * *ret_routes_left_out.
 * Returns 0, or -EBADMSG with *ret_problem if not even reason and interface can be told; then *ret is untouched.
 */
int lease_environment_parse(const char *const environment[], struct message_lease_event *ret,
                            size_t *ret_routes_left_out, struct lease_problem *ret_problem)
    __attribute__((warn_unused_result));
