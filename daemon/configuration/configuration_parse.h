/*
 * The grammars of the variables' values (SPEC §2, §10), one parser each.
 *
 * Called through the table in configuration_variables.c, and by the unit tests; pure, no privilege. Each has the type
 * configuration_parser: returns NULL and writes the target, or returns what is wrong and leaves it alone.
 */
#pragma once

#include "daemon/configuration/configuration.h"

#define DOCKER_HOST_UNIX "unix://"
#define DOCKER_HOST_TCP  "tcp://"

const char *configuration_parse_role(const char *text, void *target); /* enum role */
const char *configuration_parse_name(const char *text, void *target); /* char[NAME_SIZE] */
const char *configuration_parse_padded_name(const char *text,
                                            void *target); /* the same; white space around it does not count */
const char *configuration_parse_label_selector(const char *text,
                                               void *target); /* char[LABEL_SELECTOR_SIZE]; its length only */
const char *configuration_parse_host_name(const char *text, void *target);    /* char[HOST_NAME_SIZE] */
const char *configuration_parse_dhcp_name(const char *text, void *target);    /* char[DHCP_NAME_SIZE] */
const char *configuration_parse_interface(const char *text, void *target);    /* char[INTERFACE_NAME_SIZE] */
const char *configuration_parse_address_mode(const char *text, void *target); /* enum address_mode */
const char *configuration_parse_gateways(const char *text, void *target);     /* struct configuration_gateways */
const char *configuration_parse_boolean(const char *text, void *target);      /* bool */
const char *configuration_parse_auto_or_off(const char *text, void *target);  /* bool: auto is true */
const char *configuration_parse_listener(const char *text,
                                         void *target); /* struct configuration_listener; empty: none */
const char *configuration_parse_dhcp_client(const char *text, void *target); /* enum dhcp_client_kind */
const char *configuration_parse_on_stop(const char *text, void *target);     /* enum on_stop */
const char *configuration_parse_interval(const char *text, void *target);  /* uint64_t milliseconds, 1 … UINT32_MAX */
const char *configuration_parse_delay(const char *text, void *target);     /* the same, and 0 */
const char *configuration_parse_log_level(const char *text, void *target); /* enum log_level */
const char *configuration_parse_log_format(const char *text, void *target); /* enum log_format */
const char *configuration_parse_directory(const char *text, void *target);  /* char[DOCKER_HOST_SIZE], absolute */
const char *configuration_parse_socket(const char *text, void *target); /* char[DOCKER_HOST_SIZE], an absolute path */
const char *configuration_parse_docker_host(const char *text, void *target); /* char[DOCKER_HOST_SIZE] */

/*
 * ADDR-5: what servers know a project by, letter for letter, as far as dhcpcd can be given it: what is too long is cut,
 * control characters, quotes and backslashes become hyphens. Returns whether it is the same.
 */
bool configuration_parse_make_dhcp_name(const char *text, char ret[DHCP_NAME_SIZE]);

/* The nearest host name of RFC 1123 to such a name: other characters become hyphens. */
void configuration_parse_make_dhcp_host_name(const char *text, char ret[DHCP_NAME_SIZE]);

/*
 * A duration as SPEC §10 writes it: `1h30m`, `1.5s`, `500ms`, or plain seconds; each unit once, the larger first.
 * Returns 0, -EINVAL or -ERANGE; *ret_milliseconds is untouched on failure.
 */
int configuration_parse_duration(const char *text, uint64_t *ret_milliseconds) __attribute__((warn_unused_result));
