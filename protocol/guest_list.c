/* The lists and limits of one state; see guest_list.h. Pure; runs in watcher and netadmin. */
#include "protocol/guest_list.h"

#include "common/array.h"

#include <errno.h>
#include <string.h>

void guest_list_clear(struct guest_list *list)
{
    free(list->items);
    *list = (struct guest_list){0};
}

int guest_list_add(struct guest_list *list, const struct wire_guest *guest)
{
    struct wire_guest *items = array_grow(list->items, list->count, &list->capacity, sizeof(*items));

    if (!items)
        return -ENOMEM;
    list->items = items;
    items[list->count++] = *guest;
    return 0;
}

int guest_list_add_all(struct guest_list *list, const struct guest_list *other)
{
    int result = 0;

    for (size_t i = 0; i < other->count && result == 0; i++)
        result = guest_list_add(list, &other->items[i]);
    return result;
}

int guest_compare(const struct wire_guest *a, const struct wire_guest *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->protocol != b->protocol)
        return a->protocol < b->protocol ? -1 : 1;
    if (a->port_first != b->port_first)
        return a->port_first < b->port_first ? -1 : 1;
    if (a->port_last != b->port_last)
        return a->port_last < b->port_last ? -1 : 1;
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (memcmp(a->source, b->source, sizeof(a->source)) != 0)
        return memcmp(a->source, b->source, sizeof(a->source));
    return memcmp(a, b, sizeof(*a));
}

static int compare_items(const void *a, const void *b)
{
    return guest_compare(a, b);
}

void guest_list_sort(struct guest_list *list)
{
    size_t kept = 0;

    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), compare_items);
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || guest_compare(&list->items[kept - 1], &list->items[i]) != 0)
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

bool guest_list_equal(const struct guest_list *a, const struct guest_list *b)
{
    return a->count == b->count && (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(*a->items)) == 0);
}

struct ip_subnet guest_source(const struct wire_guest *guest)
{
    return (struct ip_subnet){ip_address_from_bytes(guest->family, guest->source), guest->prefix_length};
}

size_t guest_list_count(const struct guest_list *list, enum guest_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        count += list->items[i].kind == kind;
    return count;
}

/* The one of `kind` that names the port, with its first source; NULL: none does. */
static const struct wire_guest *find(const struct guest_list *list, enum guest_kind kind, uint8_t protocol,
                                     uint16_t port)
{
    size_t low = 0;
    size_t high = list->count;

    while (low < high) { /* the first one that ends at the port or later */
        size_t middle = low + (high - low) / 2;
        const struct wire_guest *guest = &list->items[middle];
        bool is_before = guest->kind != kind           ? guest->kind < (uint8_t)kind
                         : guest->protocol != protocol ? guest->protocol < protocol
                                                       : guest->port_last < port;

        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    if (low == list->count || list->items[low].kind != kind || list->items[low].protocol != protocol ||
        list->items[low].port_first > port)
        return NULL;
    return &list->items[low];
}

bool guest_list_names(const struct guest_list *list, enum guest_kind kind, uint8_t protocol, uint16_t port)
{
    return find(list, kind, protocol, port) != NULL;
}

bool guest_list_has(const struct guest_list *list, const struct wire_guest *guest)
{
    return list->count > 0 && bsearch(guest, list->items, list->count, sizeof(*guest), compare_items);
}

bool guest_list_refuses(const struct guest_list *list, uint8_t protocol, uint16_t port, const struct ip_address *source)
{
    const struct wire_guest *guest = find(list, GUEST_SOURCE, protocol, port);
    const struct wire_guest *end = list->items ? list->items + list->count : NULL;

    if (!guest_list_names(list, GUEST_PORTS, protocol, port))
        return false;
    for (; guest && guest < end && guest->kind == GUEST_SOURCE && guest->protocol == protocol &&
           guest->port_first <= port;
         guest++) {
        const struct ip_subnet subnet = guest_source(guest);

        if (ip_subnet_contains(&subnet, source))
            return false;
    }
    return true;
}

/* Whether `next` may stand behind `guest`, which is of the same kind and protocol. */
static bool are_apart(const struct wire_guest *guest, const struct wire_guest *next)
{
    const struct ip_subnet subnet = guest_source(guest);
    const struct ip_address address = ip_address_from_bytes(next->family, next->source);

    if (next->port_first > guest->port_last)
        return true;
    return guest->kind == GUEST_SOURCE && next->port_first == guest->port_first &&
           next->port_last == guest->port_last && !ip_subnet_contains(&subnet, &address);
}

const char *guest_list_check(const struct guest_list *list)
{
    if (guest_list_count(list, GUEST_SOURCE) > GUEST_SOURCES_MAX ||
        guest_list_count(list, GUEST_PORTS) > GUEST_SOURCES_MAX)
        return "more sources than lists may name";
    if (guest_list_count(list, GUEST_LIMIT) > GUEST_LIMITS_MAX)
        return "more limits than are allowed";
    for (size_t i = 0; i < list->count; i++) {
        const struct wire_guest *guest = &list->items[i];
        const struct wire_guest *next = i + 1 < list->count ? guest + 1 : NULL;
        const struct wire_guest *ports =
            guest->kind == GUEST_SOURCE ? find(list, GUEST_PORTS, guest->protocol, guest->port_first) : NULL;

        if (next && guest_compare(guest, next) >= 0)
            return "lists out of order";
        if (next && guest->kind == next->kind && guest->protocol == next->protocol && !are_apart(guest, next))
            return "lists that overlap";
        if (guest->kind == GUEST_SOURCE &&
            (!ports || ports->port_first != guest->port_first || ports->port_last != guest->port_last))
            return "a source without its ports";
    }
    return NULL;
}
