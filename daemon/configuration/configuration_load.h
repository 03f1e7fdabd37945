/*
 * Makes the configuration of the environment (SPEC §10), once, and tells every error at once.
 *
 * Called by daemon/main.c for all roles and for `anchord config`, as whoever starts it, and by the tests; pure apart
 * from the environment that it is given.
 */
#pragma once

#include "daemon/configuration/configuration.h"

/*
 * Reads `environment` (NAME=value strings, NULL-terminated) and the role from the command line (or NULL).
 * Never fails: what is wrong is in `problems`, and error_count says whether one may go on. *ret must be all zero, as
 * static memory is: what nobody configures of its many managed service-anchors then costs no memory.
 */
void configuration_load(const char *role_argument, const char *const environment[], struct configuration *ret);
