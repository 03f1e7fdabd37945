/*
 * By which name a holder (workers/hold/) is known in its network namespace: an address of the abstract namespace of
 * unix sockets (unix(7)). No byte is ever sent there.
 */
#pragma once

#include <stddef.h>
#include <sys/un.h>

#define HOLDER_NAME "\0anchord-hold"
/* Without the NUL at the end: every byte of such a name counts. */
#define HOLDER_NAME_LENGTH ((socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(HOLDER_NAME) - 1))
