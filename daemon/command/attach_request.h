/*
 * What was asked of `anchord attach`, by its arguments.
 *
 * Used by attach_command.c and attach_checks.c, as whoever typed the command.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define REQUEST_VALUE_SIZE    1024
#define REQUEST_VARIABLES_MAX 7
#define REQUEST_KEPT_MAX      32 /* more than attach knows variables without an option */

struct attach_request {
    bool is_dry_run;
    bool is_no_start;
    bool is_units; /* no image was asked for, and the host has the units */
    char image[REQUEST_VALUE_SIZE];
    size_t count;
    char texts[REQUEST_VARIABLES_MAX][REQUEST_VALUE_SIZE];
    /* Of both roles, ending in NULL: of the options, then what the project's file says that no option can. */
    const char *environment[REQUEST_VARIABLES_MAX + REQUEST_KEPT_MAX + 1];
};

/* `--option value` and `--option=value`. Returns EXIT_STATUS_CLEAN, or what to end with after it was said. */
int attach_request_parse(int argc, char **argv, struct attach_request *ret);

/* The value of a variable, or NULL. */
const char *attach_request_value(const struct attach_request *request, const char *variable);

/* What a person has typed for a variable: the option. */
const char *attach_request_name(const char *variable);
