/*
 * Rules that more than one message has; used by validate.c and its parts only. Runs in every process, no privilege.
 * A check returns NULL, or the rule that is broken (static storage).
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>
#include <string.h>

static inline bool is_zero(const uint8_t *bytes, size_t length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/* DISC-2: a project, or a selector, which decides alone. Both are terminated. */
static inline const char *check_scope(const char *project, const char *label_selector)
{
    struct label_selector selector;
    struct label_selector_error error;

    if (label_selector[0] == '\0')
        return project[0] == '\0' ? "no scope" : NULL;
    return label_selector_parse(label_selector, &selector, &error) < 0 ? "label selector" : NULL;
}

static inline const char *check_address(const struct wire_address *address, bool may_be_none)
{
    size_t used = ip_family_length(address->family);

    if (used == 0 && (address->family != IP_FAMILY_NONE || !may_be_none))
        return "address family";
    if (!is_zero(address->reserved, sizeof(address->reserved)) ||
        !is_zero(address->bytes + used, sizeof(address->bytes) - used))
        return "address padding not zero";
    return NULL;
}
