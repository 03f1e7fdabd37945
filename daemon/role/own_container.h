/*
 * The ID of the container that we run in, from what its engine has mounted for it (ADDR-10).
 *
 * Called by gate_worker.c, as root; reads /proc/self/mountinfo, which the kernel writes. Neither the host name nor a
 * control group is asked: people set `hostname:`, and a container does not see its group's path.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

/*
 * Engines mount files of a container's own directory at /etc/hostname, /etc/hosts and /etc/resolv.conf; that directory
 * is called as the container is. In a joined namespace they are those of its holder. Writes 64 digits, or nothing where
 * that does not hold.
 */
void own_container_find_id(char id[CONTAINER_ID_SIZE]);

/* The rule alone, for one line of mountinfo (proc(5)): true when it tells an ID. */
bool own_container_read_line(const char *line, char id[CONTAINER_ID_SIZE]);
