/*
 * The units that attach projects on this host (HOST-11, PKG-2): anchord-host@PROJECT and anchord@PROJECT.
 *
 * Used by the commands attach, detach and list, as whoever typed them. systemd is asked over the system's bus, which
 * takes the questions of everybody.
 */
#pragma once

#include "protocol/look_records.h"

#define UNIT_HOST_PREFIX     "anchord-host@"
#define UNIT_IDENTITY_PREFIX "anchord@"
#define UNIT_SUFFIX          ".service"
#define UNIT_NAME_SIZE       (NAME_SIZE + sizeof(UNIT_HOST_PREFIX UNIT_SUFFIX))

/* Whether this host is run by systemd, and the package's units are there. */
bool host_units_are_installed(void);

typedef int (*host_units_handler)(const struct look_record *half, void *userdata);

/*
 * Hands over a record of each unit that systemd has loaded, as anchord-look tells of containers: `attached`, `service`
 * (the half), `name`, `is_running`, `pid`. Returns 0, also where no systemd runs, or a negative errno, the handler's
 * too.
 */
int host_units_each(host_units_handler handler, void *userdata) __attribute__((warn_unused_result));

/* Whether it was made by host_units_each(). */
bool host_units_is_unit(const struct look_record *half);
