/* The rule for ADVERTISED; see validate_router.h. */
#include "protocol/validate_router.h"

#include "protocol/messages_router.h"
#include "protocol/validate_parts.h"

static const char *check_prefix(const struct wire_prefix *prefix)
{
    struct ip_subnet subnet = {wire_address_to(&prefix->address), prefix->prefix_length};
    struct ip_address first;
    const char *broken = check_address(&prefix->address, false);

    if (broken)
        return broken;
    if (prefix->address.family != IP_FAMILY_6)
        return "prefix of another family";
    if (prefix->prefix_length == 0 || prefix->prefix_length > ip_family_bits(IP_FAMILY_6))
        return "prefix length";
    if (!is_zero(prefix->reserved, sizeof(prefix->reserved)))
        return "padding not zero";
    first = ip_subnet_first(&subnet);
    return ip_address_equal(&first, &subnet.address) ? NULL : "host bits of a prefix";
}

const char *check_advertised(const void *message)
{
    const struct message_advertised *advertised = message;
    struct ip_address router = wire_address_to(&advertised->router);
    const char *broken = check_address(&advertised->router, false);

    if (broken)
        return broken;
    if (advertised->index == 0 || advertised->index > INT32_MAX)
        return "interface index";
    if (router.family != IP_FAMILY_6 || !ip_address_is_link_local(&router))
        return "router";
    if (advertised->longest_route > ip_family_bits(IP_FAMILY_6))
        return "route prefix length";
    if (advertised->reserved)
        return "reserved field not zero";
    if (advertised->prefix_count > ADVERTISED_PREFIXES_MAX)
        return "too many prefixes";
    for (uint32_t i = 0; i < advertised->prefix_count && !broken; i++)
        broken = check_prefix(&advertised->prefixes[i]);
    if (broken)
        return broken;
    return is_zero((const uint8_t *)&advertised->prefixes[advertised->prefix_count],
                   (ADVERTISED_PREFIXES_MAX - advertised->prefix_count) * sizeof(advertised->prefixes[0]))
               ? NULL
               : "unused prefix not zero";
}
