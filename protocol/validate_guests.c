/* The rules for EXPOSURES_GUESTS and GUEST_TEXT; see validate_guests.h. */
#include "protocol/validate_guests.h"

#include "protocol/guest_list.h"
#include "protocol/validate_parts.h"

#include <netinet/in.h>

static const char *check_source(const struct wire_guest *guest)
{
    size_t used = ip_family_length(guest->family);
    const struct ip_subnet subnet = guest_source(guest);
    struct ip_address first;

    if (guest->kind != GUEST_SOURCE)
        return guest->family || guest->prefix_length || !is_zero(guest->source, sizeof(guest->source)) ? "guest source"
                                                                                                       : NULL;
    if (used == 0 || guest->prefix_length > ip_family_bits(guest->family) ||
        !is_zero(guest->source + used, sizeof(guest->source) - used))
        return "guest source";
    first = ip_subnet_first(&subnet);
    return ip_address_equal(&first, &subnet.address) ? NULL : "host bits of a guest source";
}

static const char *check_limit(const struct wire_guest *guest)
{
    if (guest->kind != GUEST_LIMIT)
        return guest->rate || guest->burst || guest->is_per_minute ? "guest limit" : NULL;
    return guest->rate == 0 || guest->burst == 0 || guest->is_per_minute > 1 || guest->port_last != guest->port_first
               ? "guest limit"
               : NULL;
}

const char *check_guest(const struct wire_guest *guest)
{
    const char *broken;

    if (guest->kind == 0 || guest->kind >= GUEST_KIND_MAX_)
        return "guest kind";
    if (guest->protocol != IPPROTO_TCP && guest->protocol != IPPROTO_UDP)
        return "guest protocol";
    if (guest->port_first == 0 || guest->port_last < guest->port_first)
        return "guest ports";
    if (!is_zero(guest->reserved, sizeof(guest->reserved)))
        return "guest padding not zero";
    broken = check_source(guest);
    return broken ? broken : check_limit(guest);
}

const char *check_guests(const void *message)
{
    const struct message_guests *guests = message;

    if (guests->reserved)
        return "reserved field not zero";
    for (uint32_t i = 0; i < guests->item_count; i++) {
        const char *broken = check_guest(&guests->items[i]);

        if (broken)
            return broken;
    }
    return NULL;
}

const char *check_guest_text(const void *message)
{
    const struct message_guest_text *text = message;

    if (text->which == 0 || text->which >= GUEST_TEXT_MAX_ || text->reserved)
        return "which text";
    return text_is_terminated(text->text, sizeof(text->text)) ? NULL : "string not terminated";
}
