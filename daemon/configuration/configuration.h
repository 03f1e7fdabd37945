/*
 * The configuration as it was read: environment variables only (SPEC §10), every error reported at once.
 *
 * Made by configuration_load.c; used by the command `anchord` in all roles and by `anchord config`, as whoever starts
 * it. Pure; the table in configuration_variables.c is the only place where a variable is defined.
 */
#pragma once

#include "common/address.h"
#include "common/log.h"
#include "protocol/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum role {
    ROLE_NETWORK_ANCHOR,
    ROLE_SERVICE_ANCHOR,
    ROLE_EXTERNAL_REBINDER,
    ROLE_WRAP_REBINDER,
    ROLE_ATTACH,      /* the identity half of attach (HOST-11) */
    ROLE_ATTACH_HOST, /* and its host half */
    ROLE_MAX_,
};

/* Where an effective value comes from. */
enum configuration_source {
    CONFIGURATION_SOURCE_UNSET,
    CONFIGURATION_SOURCE_DEFAULT,
    CONFIGURATION_SOURCE_ENVIRONMENT,
    CONFIGURATION_SOURCE_FALLBACK, /* another variable: the definition's `fallback` */
    CONFIGURATION_SOURCE_ARGUMENT,
    CONFIGURATION_SOURCE_MAX_,
};

struct configuration_value {
    const char *text; /* points into the environment, the arguments or the table; NULL when unset */
    enum configuration_source source;
};

#define CONFIGURATION_PROBLEM_SIZE 320
/* A longer list than this helps nobody; what is left out is counted. */
#define CONFIGURATION_PROBLEMS_MAX 48

struct configuration_problem {
    bool is_error; /* else a warning */
    char variable[64];
    char text[CONFIGURATION_PROBLEM_SIZE];
};

/* At least the number of variables in the table; configuration_variables.c asserts it. */
#define CONFIGURATION_VARIABLES_MAX 52

/* NAME_2 … of all variables that take numbers, as they are shown. */
#define CONFIGURATION_NUMBERED_MAX (6 * MANAGED_TARGETS_MAX)

struct configuration_numbered {
    char name[64];
    const char *text; /* points into the environment, or says that it is not shown */
};

/* Who gets the leases with dhcp-refresh (SPEC §11). */
enum dhcp_client_kind {
    DHCP_CLIENT_SUPERVISED, /* a dhcpcd per family, below the supervisor */
    DHCP_CLIENT_HOST,       /* a dhcpcd that the host runs reports them by its hook */
};

/* What an orderly stop leaves of a network-anchor (KEEP-1). */
enum on_stop {
    ON_STOP_UNSET, /* remove, in a holder's namespace keep */
    ON_STOP_REMOVE,
    ON_STOP_KEEP,
};

/* What dhcpcd can send as a client identifier (its CLIENTID_MAX_LEN); with the NUL. */
#define DHCP_NAME_SIZE 48

/* Both halves of attach meet at a socket in a file that is named after the project (sockaddr_un). */
#define ATTACHED_PROJECT_LENGTH_MAX 80

struct configuration_gateways {
    struct ip_address v4; /* family none: not pinned */
    struct ip_address v6;
};

/* ANCHORD_ADDRESS (HOST-12). */
struct configuration_address {
    enum address_mode mode;  /* of netadmin: dhcp-refresh also for addresses that are given, which it takes as leases */
    struct ip_subnet given4; /* family none: not given; host bits are the address */
    struct ip_subnet given6;
};

/* Where to listen; family none: on every address. */
struct configuration_listener {
    bool is_enabled;
    uint16_t port;
    struct ip_address address;
};

struct configuration {
    enum role role;
    enum address_mode address_mode;
    enum log_level log_level;
    enum log_format log_format; /* is checked here; log_initialise() has read it before */
    bool claim_gateway;
    bool starts_siblings;    /* LIFE-1 */
    bool repairs_dependents; /* LIFE-3 */
    size_t managed_count;
    struct managed_target managed[MANAGED_TARGETS_MAX]; /* LIFE-2; by their numbers */
    uint64_t poll_interval_milliseconds;
    struct configuration_address attach_address;
    uint32_t expose_from; /* enum expose_from (HOST-3) */
    const char
        *guest_texts[GUEST_TEXT_MAX_]; /* ANCHORD_ALLOW, ANCHORD_LIMIT (GUEST-5), of the environment; NULL: unset */
    char parent[INTERFACE_NAME_SIZE];
    struct mac_address external_mac; /* zero: made up (HOST-2) */
    bool is_guarded;                 /* HOST-6 */
    char named_bridges[NAMED_BRIDGES_MAX][INTERFACE_NAME_SIZE];
    struct ip_subnet via_host[VIA_HOST_MAX]; /* HOST-7; without host bits; the first of no family is the end */
    struct configuration_gateways external_gateways;
    char dhcp_name[DHCP_NAME_SIZE]; /* ADDR-5: what identifiers are made of; not empty with dhcp-refresh */
    bool dhcp_name_is_given;        /* by ANCHORD_DHCP_HOSTNAME; else it is made up, and under attach made longer */
    char dhcp_host_name[DHCP_NAME_SIZE]; /* the same as a host name */
    uint64_t dhcp_backoff_max_milliseconds;
    bool dhcp_arp_probe;
    enum dhcp_client_kind dhcp_client;
    enum on_stop on_stop;
    struct configuration_listener metrics;
    struct configuration_gateways service_gateways; /* wins over the host name (SA-1) */
    char gateway_host_name[HOST_NAME_SIZE];
    uint64_t resolve_interval_milliseconds;
    uint64_t wrap_poll_interval_milliseconds;
    uint64_t wrap_stop_timeout_milliseconds;
    char follow_network[NAME_SIZE];
    char follow_target[NAME_SIZE];
    bool follow_restart;
    uint64_t follow_backoff_milliseconds;
    char project[NAME_SIZE];
    char label_selector[LABEL_SELECTOR_SIZE]; /* empty: the project decides (DISC-2) */
    char external_network[NAME_SIZE];
    char external_interface[INTERFACE_NAME_SIZE];
    char shared_network[NAME_SIZE];
    char ban_socket[DOCKER_HOST_SIZE]; /* GUEST-2; empty: only root's */
    char docker_host[DOCKER_HOST_SIZE];
    bool docker_tls_verify;
    char docker_cert_path[DOCKER_HOST_SIZE];

    struct configuration_value values[CONFIGURATION_VARIABLES_MAX]; /* in the order of the table */
    struct configuration_numbered numbered[CONFIGURATION_NUMBERED_MAX];
    size_t numbered_count;
    struct configuration_problem problems[CONFIGURATION_PROBLEMS_MAX];
    size_t problem_count;
    size_t problems_left_out;
    size_t error_count;
};

/* Addresses are in ANCHORD_ADDRESS. */
static inline bool configuration_has_given_address(const struct configuration *configuration)
{
    return configuration->attach_address.given4.address.family != IP_FAMILY_NONE ||
           configuration->attach_address.given6.address.family != IP_FAMILY_NONE;
}

/* Leases of a server are taken. */
static inline bool configuration_has_dhcp(const struct configuration *configuration)
{
    return (configuration->role == ROLE_NETWORK_ANCHOR || configuration->role == ROLE_ATTACH) &&
           configuration->address_mode == ADDRESS_MODE_DHCP_REFRESH && !configuration_has_given_address(configuration);
}

/* And a client of our own gets them. */
static inline bool configuration_has_dhcp_client(const struct configuration *configuration)
{
    return configuration_has_dhcp(configuration) && configuration->dhcp_client == DHCP_CLIENT_SUPERVISED;
}

/* Its work is the keeper's; it changes nothing in the network itself. */
static inline bool configuration_is_rebinder(const struct configuration *configuration)
{
    return configuration->role == ROLE_EXTERNAL_REBINDER || configuration->role == ROLE_WRAP_REBINDER;
}

const char *configuration_role_to_string(enum role role);
const char *configuration_source_to_string(enum configuration_source source);
