/*
 * The first process of a container, and the network namespace that it is in (HOST-10).
 *
 * Called by namespaces.c in anchord-namespaces, which alone holds CAP_SYS_PTRACE: the kernel asks for that before it
 * tells which namespaces another user's process is in.
 *
 * A process is opened once, as a directory, and all that is read of it is read below that descriptor: should it end and
 * its number be given to another, then nothing is read any more.
 */
#pragma once

#include "common/cleanup.h"

#include <dirent.h>
#include <sys/types.h>

DEFINE_POINTER_CLEANUP(DIR, (void)closedir, directory_closep);

/*
 * Looks through `processes`, an open /proc, for the oldest process of the container `id`: that is the first one, whose
 * end is the container's. (Its number in a PID namespace of its own would say the same, but for containers that share
 * one with the host, and their children may make new ones.) `wanted`: it must be that one; 0: any.
 *
 * Returns a descriptor of its network namespace, or a negative errno, with the reason in *ret_reason (static).
 */
int container_process_open_namespace(DIR *processes, const char *id, pid_t wanted, const char **ret_reason)
    __attribute__((warn_unused_result));
