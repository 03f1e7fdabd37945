/*
 * The grammars of what an attached project is told by variables (HOST-1, HOST-3, HOST-12, GUEST-5), and the rules that
 * concern several of them.
 *
 * Called through the table in configuration_variables.c and by configuration_load.c; pure, no privilege. The parsers
 * have the type configuration_parser; what they return holds until the next one is called.
 */
#pragma once

#include "daemon/configuration/configuration.h"

const char *configuration_attach_address(const char *text, void *target); /* struct configuration_address */
const char *configuration_attach_mac(const char *text, void *target);     /* struct mac_address */
const char *configuration_attach_guard(const char *text, void *target);   /* bool: on is true */
const char *configuration_attach_bridges(const char *text,
                                         void *target); /* char[NAMED_BRIDGES_MAX][INTERFACE_NAME_SIZE] */
const char *configuration_attach_via_host(const char *text, void *target);    /* struct ip_subnet[VIA_HOST_MAX] */
const char *configuration_attach_expose_from(const char *text, void *target); /* uint32_t: enum expose_from */
const char *configuration_attach_allow(const char *text, void *target);       /* const char *: the text, as given */
const char *configuration_attach_limit(const char *text, void *target);

/* Whether there can be a Compose project of that name: other names would be no names of files, either. */
void configuration_attach_check_project(struct configuration *configuration);

/* The same, then the gateway and the addresses that were given; adds what does not fit to the problems. */
void configuration_attach_check(struct configuration *configuration);
