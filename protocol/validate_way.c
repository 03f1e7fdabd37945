/* The rules for what keeps a way; see validate_way.h. Runs on both sides of the wall, without any privilege. */
#include "protocol/validate_way.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_parts.h"

const char *check_configure_way(const void *message)
{
    const struct message_configure_way *configuration = message;

    if (check_address(&configuration->gateway4, true) || configuration->gateway4.family == IP_FAMILY_6 ||
        check_address(&configuration->gateway6, true) || configuration->gateway6.family == IP_FAMILY_4)
        return "gateway";
    if (configuration->is_attached > 1 || !is_zero(configuration->reserved, sizeof(configuration->reserved)) ||
        (configuration->is_attached ? !mac_address_is_host(&configuration->inner_mac)
                                    : !mac_address_is_zero(&configuration->inner_mac)))
        return "attachment";
    return configuration->log_level >= LOG_LEVEL_MAX_ ? "log level" : NULL;
}

const char *check_way_socket(const void *message)
{
    const struct message_way_socket *handed = message;

    if (handed->number >= WAY_NAMESPACES_MAX)
        return "number of the namespace";
    return handed->kind == 0 || handed->kind >= WAY_SOCKET_MAX_ ? "kind of socket" : NULL;
}

const char *check_configure_resolver(const void *message)
{
    const struct message_configure_resolver *configuration = message;

    if (!text_is_terminated(configuration->host_name, sizeof(configuration->host_name)) ||
        configuration->host_name[0] == '\0')
        return "host name";
    if (!is_zero(configuration->reserved, sizeof(configuration->reserved)))
        return "padding not zero";
    if (configuration->interval_milliseconds == 0)
        return "interval";
    return configuration->log_level >= LOG_LEVEL_MAX_ ? "log level" : NULL;
}

static const char *check_lookup(const struct wire_lookup *lookup, uint8_t family)
{
    if (lookup->outcome == 0 || lookup->outcome >= LOOKUP_OUTCOME_MAX_)
        return "look-up outcome";
    if (lookup->count > GATEWAYS_MAX || (lookup->outcome == LOOKUP_FAILED && lookup->count > 0))
        return "look-up count";
    for (uint32_t i = 0; i < GATEWAYS_MAX; i++) {
        const char *broken = check_address(&lookup->addresses[i], true);

        if (broken)
            return broken;
        if (lookup->addresses[i].family != (i < lookup->count ? family : IP_FAMILY_NONE))
            return "look-up address family";
    }
    return NULL;
}

const char *check_gateways(const void *message)
{
    const struct message_gateways *gateways = message;
    const char *broken = check_lookup(&gateways->v4, IP_FAMILY_4);

    return broken ? broken : check_lookup(&gateways->v6, IP_FAMILY_6);
}
