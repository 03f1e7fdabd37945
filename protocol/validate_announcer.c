/* Rules of the messages from and to the announcer; see validate.c. Pure, runs in every process. */
#include "protocol/validate_announcer.h"

#include "common/log.h"
#include "protocol/validate_parts.h"

const char *check_configure_announcer(const void *message)
{
    const struct message_configure_announcer *configuration = message;

    return configuration->log_level >= LOG_LEVEL_MAX_ || configuration->reserved ? "log level" : NULL;
}

const char *check_raw_socket(const void *message)
{
    const struct message_raw_socket *raw = message;

    return raw->kind == 0 || raw->kind >= RAW_SOCKET_MAX_ || raw->reserved ? "kind of socket" : NULL;
}

static const char *check_held_item(const struct wire_held *held)
{
    if (held->index == 0 || held->index > INT32_MAX)
        return "interface index";
    if (!text_is_terminated(held->name, sizeof(held->name)) || held->name[0] == '\0')
        return "interface name";
    if (mac_address_is_zero(&held->mac))
        return "MAC address zero";
    if (held->is_router > 1)
        return "router flag";
    if (held->reserved)
        return "padding not zero";
    return check_address(&held->address, false);
}

const char *check_held(const void *message)
{
    const struct message_held *held = message;

    if (held->reserved)
        return "reserved field not zero";
    for (uint32_t i = 0; i < held->item_count; i++) {
        const char *broken = check_held_item(&held->items[i]);

        if (broken)
            return broken;
    }
    return NULL;
}

const char *check_probe(const void *message)
{
    return check_held_item(&((const struct message_probe *)message)->target);
}

const char *check_probed(const void *message)
{
    const struct message_probed *probed = message;
    const char *broken = check_held_item(&probed->target);

    if (broken)
        return broken;
    if (!is_zero(probed->reserved, sizeof(probed->reserved)))
        return "padding not zero";
    return probed->is_held > 1 || probed->is_held == mac_address_is_zero(&probed->holder) ? "holder" : NULL;
}
