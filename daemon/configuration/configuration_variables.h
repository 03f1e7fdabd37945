/*
 * The table of the environment variables (SPEC §10): the only place where one is defined.
 *
 * Used by configuration_load.c, by `anchord config`, and by the tests; pure, no privilege.
 */
#pragma once

#include "daemon/configuration/configuration.h"

/*
 * Writes the value `text` of a variable to `target`, a member of struct configuration.
 * Returns NULL, or what is wrong with it (a part of a sentence, static).
 */
typedef const char *(*configuration_parser)(const char *text, void *target);

struct configuration_variable {
    const char *name;
    const char *fallback;      /* the variable that is asked when this one is unset, or NULL */
    const char *default_value; /* or NULL: unset */
    const char *help;          /* one line */
    configuration_parser parse;
    size_t offset;      /* of the member in struct configuration */
    uint8_t roles;      /* bits 1 << enum role: whom it concerns; 0: everybody */
    uint8_t unset_for;  /* bits 1 << enum role: for whom the default does not hold */
    bool may_be_empty;  /* an empty value is one, not an unset one (SPEC §10) */
    bool is_numbered;   /* also as NAME_2, NAME_3 … */
    bool is_secret;     /* no value of it is shown to anybody */
    bool hide_if_wrong; /* a wrong value might hold a password: do not repeat it */
};

/* The table. */
const struct configuration_variable *configuration_variables(size_t *ret_count);

/* Whether the variable concerns this role. */
bool configuration_variables_concern(const struct configuration_variable *variable, enum role role);
