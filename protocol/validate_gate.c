/* The rules for what the gate is told; see validate_gate.h. Runs on both sides of the wall, without any privilege. */
#include "protocol/validate_gate.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_parts.h"

const char *check_configure_gate(const void *message)
{
    const struct message_configure_gate *configuration = message;
    size_t digits;

    if (!text_is_terminated(configuration->docker_socket, sizeof(configuration->docker_socket)) ||
        !text_is_terminated(configuration->project, sizeof(configuration->project)) ||
        !text_is_terminated(configuration->label_selector, sizeof(configuration->label_selector)) ||
        !text_is_terminated(configuration->own_id, sizeof(configuration->own_id)) ||
        !text_is_terminated(configuration->follow_network, sizeof(configuration->follow_network)) ||
        !text_is_terminated(configuration->follow_target, sizeof(configuration->follow_target)))
        return "string not terminated";
    if (configuration->docker_socket[0] != '/')
        return "path of Docker's socket";
    digits = strlen(configuration->own_id);
    if (digits != strspn(configuration->own_id, "0123456789abcdef") || (digits != 0 && digits != 64))
        return "own ID";
    if (configuration->log_level >= LOG_LEVEL_MAX_ || configuration->reserved)
        return "log level";
    /* LIFE-5: a follower needs no project. */
    return configuration->follow_target[0] != '\0' ? NULL
                                                   : check_scope(configuration->project, configuration->label_selector);
}

const char *check_gate_listener(const void *message)
{
    const struct message_gate_listener *listener = message;

    if (listener->client == 0 || listener->client >= GATE_CLIENT_MAX_)
        return "client";
    return listener->user == 0 ? "user" : NULL;
}
