/*
 * What /proc says of a process, as text: whose container it is in, and since when it runs. Pure.
 *
 * Called by container_process.c in anchord-namespaces. What is read was written by the kernel, but the names in it by
 * whoever made the control groups.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The digits of a container's ID. */
#define CONTAINER_ID_LENGTH 64

/*
 * Whether the `length` bytes of /proc/PID/cgroup put the process into the container `id` (CONTAINER_ID_LENGTH lower
 * case hexadecimal digits). In each line the first part of the path that is an ID counts, in these forms (measured):
 *
 *     0::/docker/ID                                       Docker, cgroupfs
 *     0::/system.slice/docker-ID.scope                    Docker, systemd
 *     0::/../ID                                           seen from a control group namespace of our own
 *     0::/machine.slice/libpod-ID.scope/container         Podman; not libpod-conmon-ID.scope, its supervisor outside
 *     5:pids:/docker/OUTER/docker/INNER                   nested: OUTER
 *
 * One line at least must say so, and none another container.
 */
bool process_text_is_of_container(const char *text, size_t length, const char *id);

/* The start time in /proc/PID/stat (proc(5), field 22), in ticks since the boot. Returns 0, or -EBADMSG. */
int process_text_start_time(const char *text, size_t length, uint64_t *ret) __attribute__((warn_unused_result));
