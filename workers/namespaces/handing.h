/*
 * A network namespace as what way needs of it: two rtnetlink sockets, and one for nftables.
 *
 * Called by namespaces.c in anchord-namespaces. The kernel asks for CAP_NET_ADMIN of whoever opened a socket and of
 * whoever sends by it (measured), so the opener needs it, too.
 */
#pragma once

#include "protocol/channel.h"

/*
 * Opens the sockets of `namespace` and sends them to `way` as those of namespace `number`. `home`, our own namespace,
 * is where we are before and after; a process that cannot go back there ends at once. Returns 0 or a negative errno.
 */
int handing_send_sockets(struct channel *way, int home, int namespace, uint32_t number)
    __attribute__((warn_unused_result));
