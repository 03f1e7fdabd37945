/* The rules for the host half of attach; see validate_attach.h. Runs on both sides of the wall, without any privilege.
 */
#include "protocol/validate_attach.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_parts.h"

/* pid_max at most (linux/threads.h: PID_MAX_LIMIT). */
#define PID_LIMIT (4U * 1024 * 1024)

const char *check_configure_namespaces(const void *message)
{
    const struct message_configure_namespaces *configuration = message;

    return configuration->log_level >= LOG_LEVEL_MAX_ || configuration->reserved ? "log level" : NULL;
}

const char *check_namespace_wanted(const void *message)
{
    const struct message_container *container = message;

    if (!is_container_id(container->id))
        return "ID of a container";
    return container->pid > PID_LIMIT || container->reserved ? "process" : NULL;
}

const char *check_namespace_left(const void *message)
{
    const struct message_container *container = message;

    return container->pid ? "process" : check_namespace_wanted(message);
}

const char *check_namespace_answer(const void *message)
{
    const struct message_namespace_answer *answer = message;

    if (!is_container_id(answer->id))
        return "ID of a container";
    if (answer->number >= WAY_NAMESPACES_MAX || answer->error > 0 || (answer->inode == 0) != (answer->error < 0) ||
        (answer->error < 0 && answer->number))
        return "namespace";
    return text_is_terminated(answer->reason, sizeof(answer->reason)) ? NULL : "string not terminated";
}

const char *check_namespace_gone(const void *message)
{
    const struct message_namespace_gone *gone = message;

    return gone->number >= WAY_NAMESPACES_MAX || gone->reserved ? "number of the namespace" : NULL;
}
