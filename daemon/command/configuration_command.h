/*
 * `anchord config`: the effective configuration, where each value comes from, and every error at once (SPEC §9).
 *
 * Called by daemon/main.c as whoever types the command; reads only what configuration_load() made of the environment.
 */
#pragma once

#include "daemon/configuration/configuration.h"

/* Prints to standard output. Returns the exit status: 1 when the configuration has an error. */
int configuration_command_show(const struct configuration *configuration, bool as_json);

/* Prints every variable with its default and what it means. */
void configuration_command_help(void);
