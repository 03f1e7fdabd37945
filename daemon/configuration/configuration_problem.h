/* How the parts of the configuration tell what is wrong with it. For configuration*.c only; pure, no privilege. */
#pragma once

#include "daemon/configuration/configuration.h"

__attribute__((format(printf, 4, 5))) void configuration_problem_add(struct configuration *configuration, bool is_error,
                                                                     const char *variable, const char *format, ...);
