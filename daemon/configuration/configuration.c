/* Words for what a configuration holds; see configuration.h. Pure, no privilege. */
#include "daemon/configuration/configuration.h"

static const char *const role_names[ROLE_MAX_] = {
    [ROLE_NETWORK_ANCHOR] = "network-anchor",
    [ROLE_SERVICE_ANCHOR] = "service-anchor",
    [ROLE_EXTERNAL_REBINDER] = "external-rebinder",
    [ROLE_WRAP_REBINDER] = "wrap-rebinder",
    [ROLE_ATTACH] = "attach",
    [ROLE_ATTACH_HOST] = "attach-host",
};

const char *configuration_role_to_string(enum role role)
{
    return role_names[role];
}

static const char *const source_names[CONFIGURATION_SOURCE_MAX_] = {
    [CONFIGURATION_SOURCE_UNSET] = "unset",
    [CONFIGURATION_SOURCE_DEFAULT] = "default",
    [CONFIGURATION_SOURCE_ENVIRONMENT] = "environment",
    [CONFIGURATION_SOURCE_FALLBACK] = "fallback",
    [CONFIGURATION_SOURCE_ARGUMENT] = "argument",
};

const char *configuration_source_to_string(enum configuration_source source)
{
    return source_names[source];
}
