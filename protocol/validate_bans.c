/* The rules for bans (GUEST-2); see validate_bans.h. Runs on both sides of the wall, without any privilege. */
#include "protocol/validate_bans.h"

#include "common/log.h"
#include "protocol/validate_parts.h"

const char *check_configure_bans(const void *message)
{
    const struct message_configure_bans *configuration = message;

    return configuration->is_lasting > 1 || configuration->log_level >= LOG_LEVEL_MAX_ ? "log level" : NULL;
}

const char *check_ban_listener(const void *message)
{
    const struct message_ban_listener *listener = message;

    return listener->is_roots > 1 || listener->reserved ? "whose listener it is" : NULL;
}

const char *check_ban(const struct wire_ban *ban)
{
    uint8_t bits = ip_family_bits(ban->family);
    uint8_t least = ban->family == IP_FAMILY_4 ? BAN_PREFIX4_LEAST : BAN_PREFIX6_LEAST;
    size_t used = ip_family_length(ban->family);
    struct ip_subnet subnet;
    struct ip_address first;

    if (bits == 0 || ban->kind == 0 || ban->kind >= BAN_KIND_MAX_ || ban->is_removed > 1)
        return "ban's family or kind";
    if (ban->prefix_length < least || ban->prefix_length > bits)
        return "ban's prefix length";
    if (!is_zero(ban->bytes + used, sizeof(ban->bytes) - used))
        return "ban's padding not zero";
    subnet = wire_ban_subnet(ban);
    first = ip_subnet_first(&subnet);
    if (memcmp(first.bytes, ban->bytes, used) != 0)
        return "host bits of a ban not zero";
    return ip_address_is_loopback(&first) || ip_address_is_multicast(&first) ? "ban of no host" : NULL;
}

const char *check_bans(const void *message)
{
    const struct message_bans *bans = message;
    const char *broken = bans->reserved ? "reserved field not zero" : NULL;

    for (uint32_t i = 0; i < bans->item_count && !broken; i++)
        broken = check_ban(&bans->items[i]);
    return broken;
}

const char *check_bans_applied(const void *message)
{
    const struct message_bans_applied *applied = message;

    if (applied->error > 0 || applied->reserved)
        return "error";
    return text_is_terminated(applied->reason, sizeof(applied->reason)) ? NULL : "reason not terminated";
}

/* Only LIST may name none. */
const char *check_ban_request(const void *message)
{
    const struct message_ban_request *request = message;
    bool names_none = is_zero((const uint8_t *)&request->ban, sizeof(request->ban));

    if (request->operation == 0 || request->operation >= BAN_OPERATION_MAX_)
        return "operation";
    if (!text_is_terminated(request->reason, sizeof(request->reason)))
        return "reason not terminated";
    if (request->seconds > BAN_SECONDS_MAX)
        return "seconds";
    if (request->operation == BAN_OPERATION_FLUSH)
        return names_none ? NULL : "FLUSH names a ban";
    if (request->operation == BAN_OPERATION_LIST && names_none)
        return NULL;
    return request->ban.is_removed ? "removed" : check_ban(&request->ban);
}

const char *check_ban_answer(const void *message)
{
    const struct message_ban_answer *answer = message;

    if (answer->error > 0 || answer->is_lasting > 1 || answer->reserved)
        return "error";
    return text_is_terminated(answer->reason, sizeof(answer->reason)) ? NULL : "reason not terminated";
}

const char *check_bans_listed(const void *message)
{
    const struct message_bans_listed *listed = message;
    const char *broken = listed->reserved ? "reserved field not zero" : NULL;

    for (uint32_t i = 0; i < listed->item_count && !broken; i++) {
        broken = check_ban(&listed->items[i].ban);
        if (!text_is_terminated(listed->items[i].reason, BAN_REASON_SIZE))
            broken = "reason not terminated";
        if (listed->items[i].reserved || listed->items[i].ban.is_removed)
            broken = "reserved field not zero";
    }
    return broken;
}
