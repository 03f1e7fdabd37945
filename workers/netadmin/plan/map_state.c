/* What the four maps hold, as values; see map_state.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/plan/map_state.h"

#include <netinet/in.h>
#include <string.h>

uint8_t family_index_to_family(size_t index)
{
    return index == FAMILY_INDEX_4 ? IP_FAMILY_4 : IP_FAMILY_6;
}

uint8_t protocol_index_to_protocol(size_t index)
{
    return index == PROTOCOL_INDEX_TCP ? IPPROTO_TCP : IPPROTO_UDP;
}

size_t family_index_from_family(uint8_t family)
{
    return family == IP_FAMILY_4 ? FAMILY_INDEX_4 : FAMILY_INDEX_6;
}

size_t protocol_index_from_protocol(uint8_t protocol)
{
    return protocol == IPPROTO_TCP ? PROTOCOL_INDEX_TCP : PROTOCOL_INDEX_UDP;
}

static int map_reserve(struct map *map, size_t wanted)
{
    size_t capacity = map->capacity ? map->capacity : 16;
    struct map_element *elements;

    if (wanted <= map->capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    elements = realloc(map->elements, capacity * sizeof(*elements));
    if (!elements)
        return -ENOMEM;
    map->elements = elements;
    map->capacity = capacity;
    return 0;
}

int map_add(struct map *map, const struct map_element *element)
{
    int result = map_reserve(map, map->count + 1);

    if (result < 0)
        return result;
    map->elements[map->count++] = *element;
    return 0;
}

void map_clear(struct map *map)
{
    free(map->elements);
    *map = (struct map){0};
}

int map_copy_ports(const struct map *map, struct map *ret)
{
    int result = map_reserve(ret, map->count);

    for (size_t i = 0; i < map->count && result == 0; i++)
        ret->elements[ret->count++] = (struct map_element){.port = map->elements[i].port};
    return result;
}

static int compare_ports(const void *a, const void *b)
{
    const struct map_element *first = a;
    const struct map_element *second = b;

    return (int)first->port - (int)second->port;
}

static bool is_sorted(const struct map *map)
{
    for (size_t i = 1; i < map->count; i++) {
        if (map->elements[i - 1].port > map->elements[i].port)
            return false;
    }
    return true;
}

/* What the watcher sends is sorted already. */
void map_sort(struct map *map)
{
    if (!is_sorted(map))
        qsort(map->elements, map->count, sizeof(*map->elements), compare_ports);
}

const struct map_element *map_find(const struct map *map, uint16_t port)
{
    const struct map_element key = {.port = port};

    if (map->count == 0)
        return NULL;
    return bsearch(&key, map->elements, map->count, sizeof(*map->elements), compare_ports);
}

bool map_element_equal(const struct map_element *a, const struct map_element *b)
{
    return a->port == b->port && a->backend_port == b->backend_port &&
           memcmp(a->backend, b->backend, sizeof(a->backend)) == 0;
}

void map_state_clear(struct map_state *state)
{
    for (size_t i = 0; i < MAPS_MAX; i++)
        free(state->all[i].elements);
    *state = (struct map_state){0};
}

void desired_state_clear(struct desired_state *state)
{
    map_state_clear(&state->open);
    map_state_clear(&state->withheld);
    guest_list_clear(&state->guests);
    port_ranges_clear(&state->ranges);
}

size_t desired_state_count(const struct desired_state *state)
{
    return map_state_count(&state->open) + map_state_count(&state->withheld);
}

size_t map_state_count(const struct map_state *state)
{
    size_t count = 0;

    for (size_t i = 0; i < MAPS_MAX; i++)
        count += state->all[i].count;
    return count;
}

void map_state_count_each(const struct map_state *state, uint32_t ret[FAMILY_INDEX_MAX_][PROTOCOL_INDEX_MAX_])
{
    for (size_t i = 0; i < MAPS_MAX; i++)
        ret[i / PROTOCOL_INDEX_MAX_][i % PROTOCOL_INDEX_MAX_] = (uint32_t)state->all[i].count;
}

void map_state_sort(struct map_state *state)
{
    for (size_t i = 0; i < MAPS_MAX; i++)
        map_sort(&state->all[i]);
}

void map_state_close(struct map_state *state, const struct guest_list *guests, enum guest_kind kind)
{
    for (size_t i = 0; i < MAPS_MAX; i++) {
        struct map *map = &state->all[i];
        uint8_t protocol = protocol_index_to_protocol(i % PROTOCOL_INDEX_MAX_);
        size_t kept = 0;

        for (size_t j = 0; j < map->count; j++) {
            if (!guest_list_names(guests, kind, protocol, map->elements[j].port))
                map->elements[kept++] = map->elements[j];
        }
        map->count = kept;
    }
}

int map_state_expand(struct map_state *state, const struct wire_exposure *exposure)
{
    struct map *map =
        &state->maps[family_index_from_family(exposure->family)][protocol_index_from_protocol(exposure->protocol)];
    size_t ports = (size_t)exposure->port_last - exposure->port_first + 1;
    struct map_element element = {0};
    int result;

    if (map_state_count(state) + ports > MAP_ELEMENTS_MAX)
        return -E2BIG;
    result = map_reserve(map, map->count + ports);
    if (result < 0)
        return result;
    memcpy(element.backend, exposure->backend, sizeof(element.backend));
    for (size_t i = 0; i < ports; i++) {
        element.port = (uint16_t)(exposure->port_first + i);
        element.backend_port = (uint16_t)(exposure->backend_port_first + i);
        map->elements[map->count++] = element;
    }
    return 0;
}

/* Whether `next` continues the range that `exposure` describes so far. */
static bool continues_range(const struct wire_exposure *exposure, const struct map_element *next)
{
    unsigned int length = (unsigned int)exposure->port_last - exposure->port_first + 1;

    return next->port == exposure->port_last + 1U && next->backend_port == exposure->backend_port_first + length &&
           memcmp(next->backend, exposure->backend, sizeof(next->backend)) == 0;
}

/* Writes the ranges of one map at `target`, the rest as in `sample`; returns how many. */
static size_t map_to_exposures(const struct map *map, struct wire_exposure sample, struct wire_exposure *target)
{
    size_t count = 0;

    for (size_t i = 0; i < map->count; i++) {
        const struct map_element *element = &map->elements[i];

        if (count > 0 && continues_range(&target[count - 1], element)) {
            target[count - 1].port_last = element->port;
            continue;
        }
        target[count] = sample;
        target[count].port_first = target[count].port_last = element->port;
        target[count].backend_port_first = element->backend_port;
        memcpy(target[count].backend, element->backend, sizeof(element->backend));
        count++;
    }
    return count;
}

int map_state_to_exposures(const struct map_state *state, enum exposure_access access, struct wire_exposure **ret,
                           size_t *ret_count)
{
    size_t elements = map_state_count(state);
    struct wire_exposure *exposures = calloc(elements ? elements : 1, sizeof(*exposures));
    size_t count = 0;

    if (!exposures)
        return -ENOMEM;
    for (size_t i = 0; i < MAPS_MAX; i++) {
        const struct wire_exposure sample = {
            .family = family_index_to_family(i / PROTOCOL_INDEX_MAX_),
            .protocol = protocol_index_to_protocol(i % PROTOCOL_INDEX_MAX_),
            .access = (uint8_t)access,
        };

        count += map_to_exposures(&state->all[i], sample, exposures + count);
    }
    *ret = exposures;
    *ret_count = count;
    return 0;
}
