/* What went through each exposed port; see port_ledger.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/plan/port_ledger.h"

#include "common/array.h"

#include <errno.h>
#include <string.h>

/* --- values ---------------------------------------------------------------------------------------------- */

void port_values_clear(struct port_values *values)
{
    free(values->items);
    *values = (struct port_values){0};
}

int port_values_add(struct port_values *values, const struct port_value *value)
{
    struct port_value *items;

    if (value->count.packets == 0)
        return 0;
    items = array_grow(values->items, values->count, &values->capacity, sizeof(*items));
    if (!items)
        return -ENOMEM;
    values->items = items;
    items[values->count++] = *value;
    return 0;
}

int port_values_add_all(struct port_values *values, const struct port_values *others)
{
    int result = 0;

    for (size_t i = 0; i < others->count && result == 0; i++)
        result = port_values_add(values, &others->items[i]);
    return result;
}

static int compare_values(const void *a, const void *b)
{
    const struct port_value *first = a, *second = b;

    if (first->counter != second->counter)
        return (int)first->counter - (int)second->counter;
    return first->map != second->map ? (int)first->map - (int)second->map : (int)first->port - (int)second->port;
}

void port_values_sort(struct port_values *values)
{
    if (values->count > 1)
        qsort(values->items, values->count, sizeof(*values->items), compare_values);
}

const struct packet_count *port_values_find(const struct port_values *values, enum port_counter counter, size_t map,
                                            uint16_t port)
{
    const struct port_value key = {.port = port, .map = (uint8_t)map, .counter = (uint8_t)counter};
    const struct port_value *found =
        values->count ? bsearch(&key, values->items, values->count, sizeof(key), compare_values) : NULL;

    return found ? &found->count : NULL;
}

static void add_count(struct packet_count *sum, const struct packet_count *count)
{
    sum->packets += count->packets;
    sum->bytes += count->bytes;
}

/* Each of the two numbers for itself, and never below zero. */
static struct packet_count rest_of(const struct packet_count *whole, const struct packet_count *part)
{
    return (struct packet_count){whole->packets > part->packets ? whole->packets - part->packets : 0,
                                 whole->bytes > part->bytes ? whole->bytes - part->bytes : 0};
}

static void raise_to(struct packet_count *told, const struct packet_count *count)
{
    if (count->packets > told->packets)
        told->packets = count->packets;
    if (count->bytes > told->bytes)
        told->bytes = count->bytes;
}

/* --- series ---------------------------------------------------------------------------------------------- */

void port_ledger_clear(struct port_ledger *ledger)
{
    free(ledger->series);
    *ledger = (struct port_ledger){0};
}

/* Whether one that is not exposed had to go for another one. */
static bool drop_one(struct port_ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++) {
        if (ledger->series[i].is_exposed)
            continue;
        memmove(&ledger->series[i], &ledger->series[i + 1], (--ledger->count - i) * sizeof(*ledger->series));
        return true;
    }
    return false;
}

/* The first one that is not before `range`. */
static size_t place_of(const struct port_ledger *ledger, const struct port_range *range)
{
    size_t place = 0, count = ledger->count;

    while (count > 0) {
        size_t half = count / 2;

        if (port_range_compare(&ledger->series[place + half].range, range) < 0) {
            place += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return place;
}

/* NULL: no memory, or no room. */
static struct port_series *open_series(struct port_ledger *ledger, const struct port_range *range, int *error)
{
    size_t place = place_of(ledger, range);
    struct port_series *series;

    *error = 0;
    if (place < ledger->count && port_range_compare(&ledger->series[place].range, range) == 0)
        return &ledger->series[place];
    if (ledger->count == COUNTED_PORTS_MAX) {
        if (!drop_one(ledger))
            return NULL;
        place = place_of(ledger, range);
    }
    series = reallocarray(ledger->series, ledger->count + 1, sizeof(*series));
    if (!series) {
        *error = -ENOMEM;
        return NULL;
    }
    ledger->series = series;
    memmove(&series[place + 1], &series[place], (ledger->count++ - place) * sizeof(*series));
    series[place] = (struct port_series){.range = *range};
    return &series[place];
}

int port_ledger_open(struct port_ledger *ledger, const struct port_ranges *ranges)
{
    int error = 0;

    for (size_t i = 0; i < ranges->count && error == 0; i++) {
        struct port_series *series = open_series(ledger, &ranges->items[i], &error);

        if (series)
            series->is_exposed = true;
    }
    return error;
}

int port_ledger_restore(struct port_ledger *ledger, const struct port_range *range,
                        const struct packet_count told[PORT_COUNTER_MAX_])
{
    int error;
    struct port_series *series = open_series(ledger, range, &error);

    if (series) {
        series->is_exposed = true;
        memcpy(series->told, told, sizeof(series->told));
    }
    return error;
}

/* The one that is exposed, or else any that has the port; NULL: none. Ranges that are exposed do not overlap, so it is
 * mostly the first one that is looked at. */
static struct port_series *series_of(struct port_ledger *ledger, size_t map, uint16_t port)
{
    const struct port_range last = {port, UINT16_MAX, (uint8_t)(map % PROTOCOL_INDEX_MAX_)};
    struct port_series *found = NULL;
    size_t next = place_of(ledger, &last);

    if (next < ledger->count && port_range_compare(&ledger->series[next].range, &last) == 0)
        next++;
    for (; next > 0 && ledger->series[next - 1].range.protocol == last.protocol && !(found && found->is_exposed);
         next--) {
        struct port_series *series = &ledger->series[next - 1];

        if (series->range.last >= port && (!found || series->is_exposed))
            found = series;
    }
    return found;
}

void port_ledger_begin(struct port_ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++)
        memset(ledger->series[i].read, 0, sizeof(ledger->series[i].read));
}

void port_ledger_note(struct port_ledger *ledger, const struct port_value *value)
{
    struct port_series *series = value->count.packets ? series_of(ledger, value->map, value->port) : NULL;

    if (series)
        add_count(&series->read[value->counter], &value->count);
}

/* A dump can miss elements while the kernel moves them into a larger table: what was told stays. */
void port_ledger_end(struct port_ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++) {
        struct port_series *series = &ledger->series[i];

        for (enum port_counter counter = 0; counter < PORT_COUNTER_MAX_; counter++) {
            struct packet_count sum = series->retired[counter];

            add_count(&sum, &series->read[counter]);
            raise_to(&series->told[counter], &sum);
        }
    }
}

void port_ledger_settle(struct port_ledger *ledger, const struct port_values *values)
{
    port_ledger_begin(ledger);
    for (size_t i = 0; i < values->count; i++)
        port_ledger_note(ledger, &values->items[i]);
    port_ledger_end(ledger);
    for (size_t i = 0; i < ledger->count; i++) {
        struct port_series *series = &ledger->series[i];

        for (size_t counter = 0; counter < PORT_COUNTER_MAX_; counter++)
            series->retired[counter] = rest_of(&series->told[counter], &series->read[counter]);
    }
}

/* --- transactions ---------------------------------------------------------------------------------------- */

static int carry_to(struct port_ledger *ledger, enum port_counter counter, size_t map, uint16_t port,
                    const struct port_values *values, struct port_values *ret)
{
    const struct packet_count *removed = port_values_find(values, counter, map, port);
    struct port_value value = {.port = port, .map = (uint8_t)map, .counter = (uint8_t)counter};
    struct port_series *series = series_of(ledger, map, port);

    if (removed)
        value.count = *removed;
    if (series && !(series->is_used & 1U << counter)) {
        add_count(&value.count, &series->retired[counter]);
        series->is_used |= (uint8_t)(1U << counter);
    }
    return port_values_add(ret, &value);
}

int port_ledger_carry(struct port_ledger *ledger, const struct map_state_difference difference[PORT_COUNTER_MAX_],
                      const struct port_values *values, struct port_values *ret)
{
    int result = 0;

    for (size_t i = 0; i < ledger->count; i++)
        ledger->series[i].is_used = 0;
    for (enum port_counter counter = 0; counter < PORT_COUNTER_MAX_; counter++) {
        for (size_t map = 0; map < MAPS_MAX; map++) {
            const struct map *added = &difference[counter].all[map].added;

            for (size_t i = 0; i < added->count && result == 0; i++)
                result = carry_to(ledger, counter, map, added->elements[i].port, values, ret);
        }
    }
    port_values_sort(ret);
    return result;
}

/* What is removed and not added again is carried by the series. */
static void retire(struct port_ledger *ledger, enum port_counter counter, size_t map,
                   const struct map_difference *difference, const struct port_values *values)
{
    for (size_t i = 0; i < difference->removed.count; i++) {
        uint16_t port = difference->removed.elements[i].port;
        const struct packet_count *count = port_values_find(values, counter, map, port);
        struct port_series *series = count ? series_of(ledger, map, port) : NULL;

        if (!series || map_find(&difference->added, port))
            continue;
        add_count(&series->retired[counter], count);
        raise_to(&series->told[counter], &series->retired[counter]);
    }
}

static bool is_among(const struct port_range *range, const struct port_ranges *ranges)
{
    return ranges->count > 0 &&
           bsearch(range, ranges->items, ranges->count, sizeof(*range), port_range_compare) != NULL;
}

void port_ledger_carried(struct port_ledger *ledger, const struct map_state_difference difference[PORT_COUNTER_MAX_],
                         const struct port_values *values, const struct port_ranges *ranges)
{
    for (size_t i = 0; i < ledger->count; i++) {
        struct port_series *series = &ledger->series[i];

        for (enum port_counter counter = 0; counter < PORT_COUNTER_MAX_; counter++) {
            if (series->is_used & 1U << counter)
                series->retired[counter] = (struct packet_count){0};
        }
        series->is_used = 0;
    }
    for (enum port_counter counter = 0; counter < PORT_COUNTER_MAX_; counter++) {
        for (size_t map = 0; map < MAPS_MAX; map++)
            retire(ledger, counter, map, &difference[counter].all[map], values);
    }
    for (size_t i = 0; ranges && i < ledger->count; i++)
        ledger->series[i].is_exposed = is_among(&ledger->series[i].range, ranges);
}
