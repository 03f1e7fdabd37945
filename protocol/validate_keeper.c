/*
 * The rules for what the keeper is told; see validate_keeper.h. Runs on both sides of the wall, without any privilege.
 */
#include "protocol/validate_keeper.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/managed_target.h"
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
    const char *broken = NULL;

    if (!text_is_terminated(configuration->docker_host, sizeof(configuration->docker_host)) ||
        !text_is_terminated(configuration->asked_at, sizeof(configuration->asked_at)) ||
        !text_is_terminated(configuration->project, sizeof(configuration->project)) ||
        !text_is_terminated(configuration->label_selector, sizeof(configuration->label_selector)))
        return "string not terminated";
    if (configuration->docker_host[0] == '\0' || configuration->asked_at[0] == '\0')
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
    if (configuration->repairs_dependents > 1)
        return "repairs_dependents";
    if (configuration->is_held > 1)
        return "is_held";
    if (configuration->managed_count > MANAGED_TARGETS_MAX)
        return "managed_count";
    if (configuration->role != ANCHOR_ROLE_NETWORK && configuration->managed_count > 0)
        return "managed targets of a rebinder";
    if (configuration->log_level >= LOG_LEVEL_MAX_)
        return "log level";
    if (configuration->role != ANCHOR_ROLE_EXTERNAL_REBINDER || configuration->project[0] != '\0')
        broken = check_scope(configuration->project, configuration->label_selector);
    return broken ? broken : check_follow(configuration);
}

static const char *check_gateways(const struct managed_target *managed)
{
    const char *broken = check_address(&managed->gateway4, true);

    if (!broken)
        broken = check_address(&managed->gateway6, true);
    if (!broken && (managed->gateway4.family == IP_FAMILY_6 || managed->gateway6.family == IP_FAMILY_4))
        broken = "gateway of the other family";
    return broken;
}

static const char *check_labels(const struct assignments *labels)
{
    const char *broken = assignments_check(labels);

    for (const char *one = broken ? NULL : assignments_next(labels, NULL); one; one = assignments_next(labels, one)) {
        if (managed_label_is_reserved(one, (size_t)(strchr(one, '=') - one)))
            return "reserved label";
    }
    return broken;
}

const char *check_managed_target(const void *message)
{
    const struct managed_target *managed = &((const struct message_managed_target *)message)->managed;
    const char *broken;

    if (managed->number == 0 || managed->reserved != 0)
        return "number";
    if (!text_is_terminated(managed->target, sizeof(managed->target)) ||
        !text_is_terminated(managed->name, sizeof(managed->name)) ||
        !text_is_terminated(managed->image, sizeof(managed->image)))
        return "string not terminated";
    if (!container_name_is_valid(managed->target) || !container_name_is_valid(managed->name) ||
        strcmp(managed->target, managed->name) == 0)
        return "container name";
    broken = check_gateways(managed);
    if (!broken)
        broken = assignments_check(&managed->environment);
    return broken ? broken : check_labels(&managed->labels);
}
