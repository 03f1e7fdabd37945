/*
 * What a supervised dhcpcd finds on disk: directories of its own for its sockets and its leases, below /run, and the
 * lease socket.
 *
 * Called by main.c before the supervisor is limited, as root with CAP_CHOWN; nothing is made later.
 */
#pragma once

#include "common/cleanup.h"

/*
 * Makes all of it, or takes over what a predecessor made. Returns 0 with the listening socket, or a negative errno with
 * *ret_path naming what could not be made (valid until the next call).
 */
int dhcp_files_make(int *ret_listener, const char **ret_path) __attribute__((warn_unused_result));
