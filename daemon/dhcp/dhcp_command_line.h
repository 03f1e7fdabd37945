/*
 * How dhcpcd is called: all that matters on its command line, since a configuration file that it cannot read would make
 * it configure the interface by itself, while an option that it does not know ends it (measured, 9.4.1 and 10.1).
 *
 * Used by dhcp_client.c and by tests; pure, no privilege.
 */
#pragma once

#include "common/address.h"
#include "daemon/configuration/configuration.h"

/* ADDR-5: a DHCP unique identifier of type 4, a UUID (RFC 6355), as dhcpcd takes it: "00:04:…", and its NUL. */
#define DHCP_UNIQUE_IDENTIFIER_SIZE 54

#define DHCP_ARGUMENTS_MAX    32
#define DHCP_COMMAND_TEXT_MAX 2048

struct dhcp_command_line {
    char *arguments[DHCP_ARGUMENTS_MAX + 1]; /* argv; points into `text` */
    size_t count;
    char text[DHCP_COMMAND_TEXT_MAX];
    size_t length;
};

/* The same for the same name, on every host and with every MAC, and for no other name. */
void dhcp_command_line_unique_identifier(const char *name, char text[DHCP_UNIQUE_IDENTIFIER_SIZE]);

struct dhcp_places {           /* absolute paths */
    const char *configuration; /* what only some versions understand; without it everything works but that */
    const char *script;        /* anchord-lease */
    const char *lease_socket;  /* where that one reports to */
};

/*
 * The command line for one family on `interface`. `ignored`: a server that is not to be heard, or none. Returns 0 or
 * -E2BIG. The struct must not be copied afterwards.
 */
int dhcp_command_line_make(const struct configuration *configuration, uint8_t family, const char *interface,
                           const struct dhcp_places *places, const struct ip_address *ignored,
                           struct dhcp_command_line *ret) __attribute__((warn_unused_result));
