/*
 * Commands of `anchord` that are programs of their own (SPEC §9), so that neither the supervisor nor anything that
 * listens links what only they need: `doctor` the client of Docker's API, `ruleset` libnftnl, `wrap` a parser of
 * foreign files (workers/commands/).
 *
 * Called by daemon/main.c, as whoever types the command: `ruleset` needs CAP_NET_ADMIN in the anchor's network
 * namespace, as `docker exec` gives it, `doctor` may read Docker, `wrap` needs nothing.
 */
#pragma once

#include "daemon/configuration/configuration.h"

/* All take what follows the command's name, ending in NULL, and return on failure only, with the exit status. */
int program_command_doctor(const struct configuration *configuration, char **argv);
int program_command_ruleset(int argc, char **argv);
int program_command_wrap(int argc, char **argv);
