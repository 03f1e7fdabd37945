/*
 * The rules for what the keeper is told; see validate_keeper.h. Runs on both sides of the wall, without any privilege.
 */
#include "protocol/validate_keeper.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_parts.h"

#include <string.h>

static const char *check_follow(const struct message_configure_keeper *configuration)
{
    static const struct message_configure_keeper nothing;
    const char *network = configuration->follow.network;
    const char *target = configuration->follow.target;

    if (configuration->role != ANCHOR_ROLE_EXTERNAL_REBINDER)
        return memcmp(&configuration->follow, &nothing.follow, sizeof(nothing.follow)) ? "follow without its role"
                                                                                       : NULL;
    if (!text_is_terminated(network, sizeof(configuration->follow.network)) ||
        !text_is_terminated(target, sizeof(configuration->follow.target)))
        return "string not terminated";
    if (network[0] == '\0' || target[0] == '\0')
        return "empty string";
    if (configuration->follow.restarts > 1)
        return "restarts";
    if (configuration->follow.steady_milliseconds == 0 ||
        configuration->follow.settle_limit_milliseconds < configuration->follow.steady_milliseconds)
        return "settling";
    return NULL;
}

const char *check_configure_keeper(const void *message)
{
    const struct message_configure_keeper *configuration = message;
    const char *broken;

    if (!text_is_terminated(configuration->docker_host, sizeof(configuration->docker_host)) ||
        !text_is_terminated(configuration->project, sizeof(configuration->project)) ||
        !text_is_terminated(configuration->label_selector, sizeof(configuration->label_selector)))
        return "string not terminated";
    if (configuration->docker_host[0] == '\0')
        return "empty string";
    if (configuration->role != ANCHOR_ROLE_NETWORK && configuration->role != ANCHOR_ROLE_EXTERNAL_REBINDER &&
        configuration->role != ANCHOR_ROLE_WRAP_REBINDER)
        return "role";
    if (configuration->role != ANCHOR_ROLE_NETWORK && configuration->label_selector[0] != '\0')
        return "label selector of a rebinder";
    if (configuration->poll_interval_milliseconds == 0)
        return "poll interval";
    if (configuration->is_successor > 1)
        return "is_successor";
    if (configuration->starts_siblings > 1)
        return "starts_siblings";
    if (configuration->log_level >= LOG_LEVEL_MAX_)
        return "log level";
    broken = check_scope(configuration->project, configuration->label_selector);
    return broken ? broken : check_follow(configuration);
}
