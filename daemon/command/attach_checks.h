/*
 * What `anchord attach` looks at before it does anything: the values, the host, Docker, the LAN (HOST-1). Everything
 * that is wrong is said at once, each with the way out.
 *
 * Used by attach_command.c, as whoever typed the command; changes nothing.
 */
#pragma once

#include "daemon/command/attach_request.h"
#include "daemon/configuration/configuration.h"

/* As both halves will read it; valid until the next check. */
struct attach_plan {
    const struct configuration *identity;
    const struct configuration *host;
    size_t container_count; /* of the project */
    size_t running_count;
    bool is_lan_asked;
};

/* Returns how much is wrong. With `is_started` also Docker and the LAN are asked. */
size_t attach_checks_run(const struct attach_request *request, bool is_started, struct attach_plan *ret);

/* The addresses that are given; returns their number, 2 at most. */
size_t attach_checks_given(const struct configuration *identity, struct ip_subnet ret[2]);
