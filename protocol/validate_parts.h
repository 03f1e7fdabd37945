/*
 * Rules that more than one message has; used by validate.c and its parts only. Runs in every process, no privilege.
 * A check returns NULL, or the rule that is broken (static storage).
 */
#pragma once

#include "common/text.h"
#include "protocol/messages.h"

#include <stdbool.h>
#include <string.h>

static inline bool is_zero(const uint8_t *bytes, size_t length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/* 64 hexadecimal digits as Docker writes them, and zero behind them. */
static inline bool is_container_id(const char id[CONTAINER_ID_SIZE])
{
    return text_is_terminated(id, CONTAINER_ID_SIZE) && strspn(id, "0123456789abcdef") == 64 &&
           is_zero((const uint8_t *)id + 64, CONTAINER_ID_SIZE - 64);
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
