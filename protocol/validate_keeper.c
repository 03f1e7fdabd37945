/*
 * The rules for what the keeper is told; see validate_keeper.h. Runs on both sides of the wall, without any privilege.
 */
#include "protocol/validate_keeper.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_parts.h"

const char *check_configure_keeper(const void *message)
{
    const struct message_configure_keeper *configuration = message;

    if (!text_is_terminated(configuration->docker_host, sizeof(configuration->docker_host)) ||
        !text_is_terminated(configuration->project, sizeof(configuration->project)))
        return "string not terminated";
    if (configuration->docker_host[0] == '\0' || configuration->project[0] == '\0')
        return "empty string";
    if (configuration->role != ANCHOR_ROLE_EXTERNAL_REBINDER && configuration->role != ANCHOR_ROLE_WRAP_REBINDER)
        return "role";
    if (configuration->poll_interval_milliseconds == 0)
        return "poll interval";
    if (configuration->is_successor > 1)
        return "is_successor";
    if (configuration->reserved)
        return "reserved field not zero";
    return configuration->log_level >= LOG_LEVEL_MAX_ ? "log level" : NULL;
}
