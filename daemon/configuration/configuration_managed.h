/*
 * ANCHORD_MANAGED_SA_… (LIFE-2): the grammars of their values, and the rules that several of them make together.
 *
 * Called by configuration_load.c and through the table in configuration_variables.c; pure, no privilege. Parsers as in
 * configuration_parse.h, but for one thing: what is wrong with a JSON object is said with the key, in a text that holds
 * until the next call.
 */
#pragma once

#include "daemon/configuration/configuration.h"

const char *configuration_managed_container_name(const char *text, void *target); /* char[NAME_SIZE] */
const char *configuration_managed_image_name(const char *text, void *target);     /* char[IMAGE_NAME_SIZE] */
const char *configuration_managed_gateways(const char *text, void *target);       /* struct managed_target */
const char *configuration_managed_environment(const char *text, void *target);    /* struct assignments */
const char *configuration_managed_labels(const char *text, void *target);         /* struct assignments */

/* Before anything is parsed: there is the entry of the variables without a number, the first one. */
void configuration_managed_begin(struct configuration *configuration);

/* The entry of the variables NAME_`number`, made if need be; NULL: there are too many. */
struct managed_target *configuration_managed_entry(struct configuration *configuration, uint32_t number);

/* After everything was parsed: fills defaults in, sorts by number, drops what has no target, and tells of problems. */
void configuration_managed_finish(struct configuration *configuration);
