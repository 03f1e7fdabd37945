/* The ports as they were exposed; see port_ranges.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/plan/port_ranges.h"

#include "common/array.h"

#include <errno.h>
#include <stdlib.h>

void port_ranges_clear(struct port_ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct port_ranges){0};
}

int port_ranges_add(struct port_ranges *ranges, const struct port_range *range)
{
    struct port_range *items = array_grow(ranges->items, ranges->count, &ranges->capacity, sizeof(*items));

    if (!items)
        return -ENOMEM;
    ranges->items = items;
    items[ranges->count++] = *range;
    return 0;
}

int port_ranges_add_all(struct port_ranges *ranges, const struct port_ranges *others)
{
    int result = 0;

    for (size_t i = 0; i < others->count && result == 0; i++)
        result = port_ranges_add(ranges, &others->items[i]);
    return result;
}

int port_range_compare(const void *a, const void *b)
{
    const struct port_range *first = a, *second = b;

    if (first->protocol != second->protocol)
        return (int)first->protocol - (int)second->protocol;
    return first->first != second->first ? (int)first->first - (int)second->first
                                         : (int)first->last - (int)second->last;
}

void port_ranges_sort(struct port_ranges *ranges)
{
    size_t kept = 0;

    if (ranges->count > 1)
        qsort(ranges->items, ranges->count, sizeof(*ranges->items), port_range_compare);
    for (size_t i = 0; i < ranges->count; i++) {
        if (kept == 0 || port_range_compare(&ranges->items[kept - 1], &ranges->items[i]) != 0)
            ranges->items[kept++] = ranges->items[i];
    }
    ranges->count = kept;
}
