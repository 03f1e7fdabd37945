/* Who may come in; see guests.h. Pure, runs without any privilege. */
#include "workers/watcher/guests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Whether one more of the kind still fits. */
static bool has_room(const struct guest_list *list, const struct wire_guest *guest)
{
    size_t limit = guest->kind == GUEST_LIMIT ? GUEST_LIMITS_MAX : GUEST_SOURCES_MAX;

    return guest_list_count(list, (enum guest_kind)guest->kind) < limit;
}

/* The part of it that concerns the ports first … last; false: none does. */
static bool cut(struct wire_guest *guest, uint8_t protocol, unsigned int first, unsigned int last)
{
    if (guest->protocol != protocol || guest->port_first > last || guest->port_last < first)
        return false;
    if (guest->port_first < first)
        guest->port_first = (uint16_t)first;
    if (guest->port_last > last)
        guest->port_last = (uint16_t)last;
    return true;
}

static int add_ports(const struct guest_list *guests, uint8_t protocol, unsigned int first, unsigned int last,
                     struct guest_list *ret)
{
    for (size_t i = 0; i < guests->count; i++) {
        struct wire_guest guest = guests->items[i];

        if (!cut(&guest, protocol, first, last))
            continue;
        if (!has_room(ret, &guest))
            return -E2BIG;
        if (guest_list_add(ret, &guest) < 0)
            return -ENOMEM;
    }
    return 0;
}

int guests_collect(const struct exposure_result *computed, struct guest_list *ret, uint32_t *ret_over)
{
    unsigned int covered = 0; /* published in another way in each family, a port stands twice */

    *ret_over = 0;
    for (size_t i = 0; i < computed->grant_count; i++) {
        const struct exposure_grant *grant = &computed->grants[i];
        const struct exposure_grant *last = i > 0 ? grant - 1 : NULL;
        unsigned int first = grant->port_first;
        int result;

        if (!last || last->source != grant->source || last->protocol != grant->protocol)
            covered = 0;
        if (first <= covered)
            first = covered + 1;
        if (covered < grant->port_last)
            covered = grant->port_last;
        if (!grant->source->guests || first > grant->port_last)
            continue;
        result = add_ports(grant->source->guests, grant->protocol, first, grant->port_last, ret);
        if (result < 0) {
            guest_list_clear(ret);
            *ret_over = result == -E2BIG ? grant->source->serial : 0;
            return result == -E2BIG ? 0 : result;
        }
    }
    guest_list_sort(ret);
    return 0;
}

static bool is_exposed(const struct wire_guest *guest, const struct expose_range *ranges, size_t range_count)
{
    for (size_t i = 0; i < range_count; i++) {
        if (ranges[i].protocol == guest->protocol && ranges[i].port_first <= guest->port_last &&
            ranges[i].port_last >= guest->port_first)
            return true;
    }
    return false;
}

const struct wire_guest *guests_find_idle(const struct guest_list *guests, const struct expose_range *ranges,
                                          size_t range_count)
{
    for (size_t i = 0; i < guests->count; i++) {
        if (!is_exposed(&guests->items[i], ranges, range_count))
            return &guests->items[i];
    }
    return NULL;
}

/* --- for people ------------------------------------------------------------------------------------------ */

/* Room for "8000-8010: 65535/minute per source, burst 65535", or " and 1023 more". */
#define PART_SIZE 64

/* Appends `part` if there is room for it, and for one more. */
static bool append(char text[GUESTS_TEXT_SIZE], const char *before, const char *part)
{
    size_t length = strlen(text);

    if (length + strlen(before) + strlen(part) + PART_SIZE > GUESTS_TEXT_SIZE)
        return false;
    (void)snprintf(text + length, GUESTS_TEXT_SIZE - length, "%s%s", before, part);
    return true;
}

static void append_sources(char text[GUESTS_TEXT_SIZE], const struct guest_list *guests, const struct wire_guest *ports)
{
    unsigned int told = 0, left_out = 0;

    for (size_t i = 0; i < guests->count; i++) {
        const struct wire_guest *guest = &guests->items[i];
        const struct ip_subnet source = guest_source(guest);

        if (guest->kind != GUEST_SOURCE || guest->protocol != ports->protocol ||
            guest->port_first != ports->port_first || guest->port_last != ports->port_last)
            continue;
        if (left_out > 0 || !append(text, told > 0 ? " " : "from ", IP_SUBNET_TEXT(&source)))
            left_out++;
        else
            told++;
    }
    if (left_out > 0) {
        size_t length = strlen(text);

        (void)snprintf(text + length, GUESTS_TEXT_SIZE - length, told > 0 ? " and %u more" : "from %u sources",
                       left_out);
    }
}

void guests_describe(const struct guest_list *guests, uint8_t protocol, uint16_t port_first, uint16_t port_last,
                     char text[GUESTS_TEXT_SIZE])
{
    text[0] = '\0';
    for (size_t i = 0; i < guests->count; i++) {
        const struct wire_guest *guest = &guests->items[i];
        struct wire_guest concerned = *guest;
        char part[PART_SIZE] = "";

        if (guest->kind == GUEST_SOURCE || !cut(&concerned, protocol, port_first, port_last))
            continue;
        if (concerned.port_first != port_first || concerned.port_last != port_last) /* of a range, some */
            (void)snprintf(part, sizeof(part), concerned.port_first == concerned.port_last ? "%u " : "%u-%u ",
                           (unsigned int)concerned.port_first, (unsigned int)concerned.port_last);
        if (!append(text, text[0] ? ", " : "", part))
            return;
        (void)snprintf(part, sizeof(part), "%u/%s per source, burst %u", (unsigned int)guest->rate,
                       guest->is_per_minute ? "minute" : "second", (unsigned int)guest->burst);
        if (guest->kind == GUEST_PORTS)
            append_sources(text, guests, guest);
        else if (!append(text, "", part))
            return;
    }
}
