/* The rules for what the gate is told; see validate_gate.h. Runs on both sides of the wall, without any privilege. */
#include "protocol/validate_gate.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_parts.h"

/* As libcurl writes what a query or a part of a path holds: nothing in it has a meaning of its own. */
static bool is_encoded(const char *text, size_t size)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%";

    return text_is_terminated(text, size) && text[strspn(text, unreserved)] == '\0';
}

const char *check_configure_gate(const void *message)
{
    const struct message_configure_gate *configuration = message;

    if (!text_is_terminated(configuration->docker_socket, sizeof(configuration->docker_socket)))
        return "string not terminated";
    if (configuration->docker_socket[0] != '/')
        return "path of Docker's socket";
    if (!is_encoded(configuration->labels, sizeof(configuration->labels)) ||
        !is_encoded(configuration->event_labels, sizeof(configuration->event_labels)) ||
        !is_encoded(configuration->own, sizeof(configuration->own)) ||
        !is_encoded(configuration->follow_network, sizeof(configuration->follow_network)) ||
        !is_encoded(configuration->follow_network_path, sizeof(configuration->follow_network_path)) ||
        !is_encoded(configuration->follow_target_path, sizeof(configuration->follow_target_path)))
        return "scope that is no part of a query";
    if (configuration->log_level >= LOG_LEVEL_MAX_)
        return "log level";
    return configuration->labels[0] == '\0' ? "no scope" : NULL;
}

const char *check_gate_listener(const void *message)
{
    const struct message_gate_listener *listener = message;

    if (listener->client == 0 || listener->client >= GATE_CLIENT_MAX_)
        return "client";
    return listener->user == 0 ? "user" : NULL;
}
