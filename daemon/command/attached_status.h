/*
 * What an attachment says of itself: asked at the control socket in the container of its identity half.
 *
 * Used by the commands attach, detach, list, status --pid and doctor, as root.
 */
#pragma once

#include "common/address.h"
#include "daemon/command/control_client.h"

/* What was read, and the connection that it stands in. */
struct attached_status {
    sd_bus *bus;
    struct status status;
};

void attached_status_clear(struct attached_status *status);

/* By the PID of the container's first process, as the host has it. Returns 0, or a negative errno: nobody listens
 * yet, it has gone, it does not answer. *ret is cleared first. */
int attached_status_read(uint32_t pid, struct attached_status *ret) __attribute__((warn_unused_result));

/* Its two halves, for who reads as nobody: the first one has root's rights and reads nothing, the second one needs
 * none, and takes the connection over, also on failure. */
int attached_status_connect(uint32_t pid, int *ret_fd) __attribute__((warn_unused_result));
int attached_status_take(int fd, struct attached_status *ret) __attribute__((warn_unused_result));

bool attached_status_has_unmet(const struct attached_status *status, const char *condition);

/* "192.0.2.5, 2001:db8::5": where the project is reached, without link-local ones. Returns their number. */
size_t attached_status_addresses(const struct attached_status *status, char *ret, size_t size);

/* Whether the project has this address. */
bool attached_status_has_address(const struct attached_status *status, const char *address);

/* A variable of the environment that a process was started with; empty: it has none such. */
void attached_status_variable(uint32_t pid, const char *name, char *ret, size_t size);
