/*
 * The command line of `anchord wrap`.
 *
 * Parsed by options.c before anything foreign is read. Pure but for its own message on standard error.
 */
#pragma once

#include "common/address.h"

enum { OPTIONS_IPV4, OPTIONS_IPV6, OPTIONS_FAMILIES };

#define OPTIONS_LIST_MAX 64

struct wrap_options {
    const char *lan;                               /* the external network's name in Docker */
    const char *image;                             /* NULL: the example's variable */
    const char *output;                            /* NULL: standard output */
    const char *check;                             /* NULL: print an override */
    struct ip_address addresses[OPTIONS_FAMILIES]; /* on the LAN; family none: Docker's choice */
    struct ip_subnet subnets[OPTIONS_FAMILIES];    /* of transit; family none: chosen from the project's name */
    /* addresses of the host: what is bound to them is exposed, too */
    struct ip_address host_addresses[OPTIONS_LIST_MAX];
    size_t host_address_count;
    const char *bridges[OPTIONS_LIST_MAX]; /* external networks that are known to be bridges */
    size_t bridge_count;
    uint16_t engine[2]; /* Docker Engine's version, major and minor; 0: a current one */
    bool use_dhcp;
    bool ports_only; /* services without ports: stay off transit */
    bool show_help;
};

/* `argv` begins behind the command. Returns 0, or -EINVAL after a message on standard error. */
int wrap_options_parse(int argc, char **argv, struct wrap_options *ret) __attribute__((warn_unused_result));

/* Whether the engine is known to be older than that. */
bool options_engine_is_before(const struct wrap_options *options, unsigned int major, unsigned int minor);

/* Prints the usage on standard output. */
void wrap_options_help(void);
