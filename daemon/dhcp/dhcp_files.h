/*
 * What dhcpcd finds on disk: the lease socket and, when it is ours, directories of its own for its sockets and its
 * leases, below /run, and a configuration file.
 *
 * Called by daemon/main.c before the supervisor is limited, as root with CAP_CHOWN; nothing is made later.
 */
#pragma once

#include "common/cleanup.h"

#include <stdbool.h>

/*
 * Makes all of it (`is_supervised`), or the socket alone, which is then for root, as whom a dhcpcd of the host runs its
 * hooks; or takes over what a predecessor made. Returns 0 with the listening socket, or a negative errno with
 * *ret_path naming what could not be made (valid until the next call).
 */
int dhcp_files_make(bool is_supervised, int *ret_listener, const char **ret_path) __attribute__((warn_unused_result));

/* The path of dhcpcd's configuration file. */
const char *dhcp_files_configuration(void);
